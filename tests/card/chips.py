"""Chips as delivered and with a small test application, for the tests of the virtual card's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card import client, management
from card.applications import ApplicationSettings
from card.channel import CommMode
from card.commands import FileSettings, FileType, Rights
from card.errors import StatusError
from card.personalise import open_delivered
from card.virtual import Generation, VirtualCard
from keys.softkey import FACTORY_KEY

if TYPE_CHECKING:
    from card.apdu import Status
    from card.transport import Transport

TEST_AID = b"TST"
OPEN = Rights(0, 0, 0, 0)
VALUE = FileSettings(FileType.VALUE, CommMode.FULL, (OPEN,), lower=0, upper=1_000)
BACKUP = FileSettings(FileType.BACKUP, CommMode.MAC, (OPEN,), size=8)
LOG = FileSettings(FileType.CYCLIC, CommMode.MAC, (OPEN,), record_size=4, records=4)


def delivered(serial: int = 1, generation: Generation = Generation.EV3) -> VirtualCard:
    """A chip as it comes from the factory."""
    return VirtualCard(bytes([4, 0, 0, 0, 0, 0, serial]), generation=generation)


def entered(chip: Transport, aid: bytes = TEST_AID, key_no: int = 0) -> client.Session:
    """A session under a key of zeros."""
    client.select(chip, aid)
    return client.authenticate(chip, key_no, FACTORY_KEY)


def blank(*created: tuple[int, FileSettings], keys: int = 1) -> tuple[VirtualCard, client.Session]:
    """A chip with a test application, and a session under its master key."""
    chip = delivered()
    management.create_application(open_delivered(chip), ApplicationSettings(TEST_AID, keys))
    session = entered(chip)
    for number, kind in created:
        management.create_file(session, number, kind)
    return chip, session


def raises_status(status: Status) -> pytest.RaisesExc[StatusError]:
    """The chip refuses, with this status."""
    return pytest.raises(StatusError, check=lambda error: error.status == status)
