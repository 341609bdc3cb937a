"""Fixtures of the `hebat card` tests; a module takes them by `pytest_plugins = ["tests.hebat.card_desk_fixtures"]`."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from card.virtual import VirtualCard
from hebat import cli
from hebat.cards import field as readers_module
from hebat.folder import Folder
from keys.clock import SystemClock
from keys.vault import Role
from terminals.fares import TRANS_SEMARANG_2022
from terminals.outbox import Outbox
from terminals.terminal import Terminal
from terminals.upkeep import Parts
from tests.founding import found
from tests.hebat.card_desk import UID, Desk, Ran, vault_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    made = Desk()
    monkeypatch.setattr(readers_module, "readers", lambda: made)
    return made


@pytest.fixture
def hebat(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """`hebat card` as a shell would run it."""

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["hebat", "card", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return Ran(int(ended.value.code or 0), told.out, told.err)

    return run


@pytest.fixture(scope="module")
def founded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("city") / "city"
    found(Folder(root), SystemClock(), "demo")
    return root


@pytest.fixture
def folder(founded: Path, tmp_path: Path) -> Path:
    """A city of one's own, without a card."""
    return shutil.copytree(founded, tmp_path / "city")


@pytest.fixture
def chip(desk: Desk, hebat: Callable[..., Ran], folder: Path) -> VirtualCard:
    """A card that this city made, in the reader."""
    made = VirtualCard(UID)
    desk.cards = [made]
    assert hebat("personalise", "--data", folder).code == 0
    return made


@pytest.fixture
def conductor(folder: Path) -> Iterator[Terminal]:
    """A terminal with every key that terminals may hold, and no line to the ledger."""
    keys = vault_of(folder).subset(folder / "device.vault", "x", (Role.DEBIT, Role.READ), 16)
    outbox = Outbox(folder / "outbox.db")
    yield Terminal(Parts(1001, outbox, keys, None, SystemClock(), TRANS_SEMARANG_2022))  # type: ignore[arg-type]
    outbox.close()
