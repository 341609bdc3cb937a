"""Fixtures of the tests that talk to a real pcscd; a plug-in, so that test modules of two folders share one pcscd."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from card.virtual.vpcd import VpcdSlot
from tests.card.pcscd import SOCKET_VARIABLE, TEST_S, Pcscd, missing, need
from tests.ports import held_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from card.virtual import VirtualCard


@pytest.fixture(scope="session")
def pcscd_place() -> Iterator[Pcscd]:
    """The run's pcscd, not started; its folder's name is short, for a socket's name has 108 bytes at most."""
    need(missing())
    with tempfile.TemporaryDirectory(prefix="pcscd") as folder, held_ports(2) as port:
        place = Pcscd(Path(folder), port)
        os.environ[SOCKET_VARIABLE] = str(place.socket)
        yield place
        place.stop()


@pytest.fixture
def pcscd(pcscd_place: Pcscd) -> Iterator[Pcscd]:
    """The run's pcscd, running. It is killed after a while, since PC/SC's calls wait for it without end and a test may not."""
    if not pcscd_place.running:
        pcscd_place.start()
    watchdog = threading.Timer(TEST_S, pcscd_place.kill)
    watchdog.start()
    yield pcscd_place
    watchdog.cancel()
    watchdog.join()


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
