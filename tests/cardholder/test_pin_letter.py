"""The sealed sheet of PINs, opened by a reader that nobody here wrote: the PINs that count are on it, and without its passphrase it says nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pypdf
import pytest
from pypdf.errors import FileNotDecryptedError

from hebat.cards.printing import mailers
from hebat.cards.printing.batch import print_batch
from ledger.cardholder.pins import Tried

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cardholder.town import Town

_SLIP = re.compile(r"\*{4}(\d{4})(?:(?!\*{4}).)*?((?:\d ){5}\d)", re.DOTALL)
"""The last four digits of a card's number, and the PIN on the same slip."""


_BY_CHANCE = re.compile(rb"<[0-9A-F]{16,}>|^\d{10} \d{5} [nf] $", re.MULTILINE)
"""Keys under keys, salts and strings under keys in hexadecimal, and where objects begin: six digits that are a PIN's stand there once in a thousand sheets.

What is left is the sheet's skeleton, and its pages under a key: about a thousand bytes, in which one of nine PINs stands by chance less than once in 10^10 sheets.
"""


def slips(path: Path, passphrase: str) -> list[tuple[str, str]]:
    sheet = pypdf.PdfReader(path)
    assert sheet.is_encrypted
    assert sheet.decrypt(passphrase) != pypdf.PasswordType.NOT_DECRYPTED
    text = "\n".join(page.extract_text() for page in sheet.pages)
    return [(four, pin.replace(" ", "")) for four, pin in _SLIP.findall(text)]


def test_the_sheet_opens_with_its_passphrase_and_each_slip_has_the_pin_that_opens_its_card(
    town: Town, tmp_path: Path
) -> None:
    cards = [town.known(town.scene.card()) for _ in range(mailers.ROWS + 1)]  # two pages
    done = print_batch(town.city, cards, "https://kartu.example", tmp_path / "batch", lambda _: None)
    path = tmp_path / "batch" / "pins.pdf"
    read = slips(path, done.passphrase)
    assert [four for four, _ in read] == [f"{card.card_number % 10_000:04}" for card in cards]
    content = _BY_CHANCE.sub(b"", path.read_bytes())
    for card, (_, pin) in zip(cards, read, strict=True):
        assert town.city.cardholders.pins.attempt(card, pin).tried is Tried.RIGHT
        assert str(card.card_number).encode() not in path.read_bytes()
        assert pin.encode() not in content


def test_no_other_passphrase_opens_the_sheet_and_nothing_of_it_is_read_without_one(tmp_path: Path) -> None:
    path, right = tmp_path / "pins.pdf", mailers.new_passphrase()
    path.write_bytes(mailers.pdf([(9360000900000014, "271828")], right, "a batch"))
    assert slips(path, right) == [("0014", "271828")]
    sheet = pypdf.PdfReader(path)
    assert b"/V 5" in path.read_bytes()  # AES-256 (ISO 32000-2, section 7.6.3)
    for wrong in ("", right.lower(), right[:-1], mailers.new_passphrase()):
        assert sheet.decrypt(wrong) == pypdf.PasswordType.NOT_DECRYPTED
    with pytest.raises(FileNotDecryptedError):
        _ = sheet.pages[0]
