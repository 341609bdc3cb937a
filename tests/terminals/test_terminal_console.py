"""The screen in a console: the same boards by keys alone; and receipts on paper."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import pytest
from textual.widgets import Digits, Static

from keys.money import Rupiah
from terminals.pump import Pump
from terminals.receipts.slip import WIDTH, Slip, escpos, picture
from terminals.roles.merchant import Merchant
from terminals.screen.console import Console
from terminals.screen.words import LANGUAGES
from tests.terminals.depot import START, Clock, Lasting, Ledger, Server, card, terminal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from textual.pilot import Pilot

    from keys.filevault import FileVault
    from terminals.screen.board import Board
    from terminals.station import Station


@pytest.fixture
def till(tmp_path: Path, vault: FileVault) -> Iterator[Station]:
    ledger, clock = Ledger(), Clock()
    server = Server(ledger)
    with terminal(tmp_path, vault, clock, ledger, server.address) as device:
        station = Lasting(device, Merchant(device), Pump(device, clock.now), clock)
        yield station
        station.close()
    server.close()


def board(console: Console) -> str:
    words = [str(console.query_one(name, Static).content) for name in ("#around", "#board", "#below")]
    return "\n".join([*words, console.query_one("#amount", Digits).value])


async def until(pilot: Pilot[None], console: Console, text: str) -> None:
    deadline = time.monotonic() + 60
    while text not in board(console):
        assert time.monotonic() < deadline, f"{text!r} is not in {board(console)!r}"
        await pilot.pause(0.025)


async def sold_by_keys(till: Station, vault: FileVault) -> str:
    console = Console(till)
    async with console.run_test(size=(100, 32)) as pilot:
        await until(pilot, console, "Buka giliran kerja dulu")
        await pilot.press("enter")
        await pilot.press(*"Kasir", "enter")
        await until(pilot, console, "Masukkan harga")
        await pilot.press("1")
        await pilot.press(*"5000", "enter")
        await until(pilot, console, "Rp5.000")
        await asyncio.to_thread(till.tapped, card(vault))
        await until(pilot, console, "Sisa saldo Rp45.000")
        assert console.screen.has_class("green")
        await pilot.press("l", "l")
        await until(pilot, console, "Balance left")
        assert "Kasir · Taken Rp5.000" in board(console)
        return board(console)


def test_a_sale_is_made_by_keys_alone(till: Station, vault: FileVault) -> None:
    assert "Balance left Rp45.000" in asyncio.run(sold_by_keys(till, vault))


def test_each_payment_gives_one_receipt_and_a_refusal_none(till: Station, vault: FileVault) -> None:
    printed, paper = list[int](), threading.Event()

    def put(board: Board) -> None:
        printed.append(board.sequence)
        paper.set()

    till._receipts = put
    till.press("open-shift", "Kasir")
    till.press("sale", "5000")
    till.tapped(card(vault, 1_000, 2))
    till.tapped(card(vault))
    assert paper.wait(60)
    assert printed == [1]


SLIP = Slip("Toko Pandanaran", "sale", Rupiah(25_000), Rupiah(25_000), START, 2001, 17)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_receipt_fits_its_paper_and_names_no_card(language: str) -> None:
    lines = SLIP.lines(language)
    assert max(map(len, lines)) <= WIDTH
    assert lines[-1].endswith("KSH-2001-17")
    assert "Rp25.000" in lines[1]


def test_a_receipt_goes_to_a_printer_in_its_own_bytes_and_to_a_phone_as_a_picture() -> None:
    printed = escpos(SLIP, "id")
    assert printed.startswith(b"\x1ba\x00")
    assert b"Belanja" in printed
    assert b"KSH-2001-17" in printed
    assert b"\x1dV" in printed[-8:], "the paper is cut"
    assert picture(SLIP).startswith(b"<?xml")
