"""Fixtures of the tests that talk to a real pcscd; a plug-in, so that test modules of two folders share one pcscd."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from card.virtual.vpcd import VpcdSlot
from tests.card.pcscd import SOCKET_VARIABLE, Pcscd, missing, need

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from card.virtual import VirtualCard


@pytest.fixture(scope="session")
def pcscd_place() -> Iterator[Pcscd]:
    """The run's pcscd, not started; its folder's name is short, for a socket's name has 108 bytes at most."""
    need(missing())
    with tempfile.TemporaryDirectory(prefix="pcscd") as folder:
        place = Pcscd(Path(folder))
        os.environ[SOCKET_VARIABLE] = str(place.socket)
        yield place
        place.stop()


@pytest.fixture
def pcscd(pcscd_place: Pcscd) -> Pcscd:
    """The run's pcscd, running, with two empty slots."""
    if not pcscd_place.running:
        pcscd_place.start()
    return pcscd_place


@pytest.fixture
def slot(pcscd: Pcscd, card: VirtualCard) -> Iterator[VpcdSlot]:
    """The first slot with a personalised card in it."""
    with VpcdSlot(card, pcscd.port) as made:
        yield made


@pytest.fixture
def second_slot(pcscd: Pcscd, new_card: Callable[..., VirtualCard]) -> Iterator[VpcdSlot]:
    """The second slot with another card in it."""
    with VpcdSlot(new_card(2), pcscd.port + 1) as made:
        yield made
