"""A batch of cards to be printed: new tokens and PINs for them, the files, and a manifest that says what they are and holds no secret."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from hebat.cards.printing import faces, mailers
from hebat.cards.printing.codes import SIDE_MM, SQUARE_MM_MIN, code_of
from hebat.errors import InputRefused
from keys.clock import local
from keys.sealedfile import write_atomically
from ledger.cardholder.pins import new_pin
from ledger.cardholder.receipts import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from hebat.wiring import City
    from ledger.intake.cards.issued import Card

CARDS_MAX: Final = 1000
"""Cards of one batch."""
FORMAT: Final = "ksh-print-batch-1"
_PROBE: Final = "A" * 22
"""As long as a token is."""


@dataclass(frozen=True, slots=True)
class Printed:
    """A batch that was written; `passphrase` opens its sheet of PINs, and is kept nowhere."""

    name: str
    cards: int
    passphrase: str = field(repr=False)


def require_address(address: str) -> None:
    """Raise InputRefused for an address that no card can carry: not https, with a query, or too long for a code of 18 mm."""
    plain = address.startswith("https://") and not set("?# ") & set(address) and address.isascii()
    if not plain or code_of(f"{address}/c/{_PROBE}").square_mm < SQUARE_MM_MIN:
        raise InputRefused(
            f"{address[:60]!r} cannot be printed: https://, no query, and short enough for a code of {SIDE_MM:g} mm"
        )


def chosen(city: City, numbers: Sequence[int]) -> list[Card]:
    """The cards of these numbers, or all that never had a PIN; raises InputRefused."""
    cards = city.registry.cards()
    if numbers:
        by_number = {card.card_number: card for card in cards}
        missing = [number for number in numbers if number not in by_number]
        if missing:
            raise InputRefused(f"no card {missing[0]} was issued here: look at the number again")
        found = [by_number[number] for number in dict.fromkeys(numbers)]
    else:
        found = sorted(
            (card for card in cards if not city.cardholders.pins.has(card)), key=lambda card: card.card_number
        )
    if not 0 < len(found) <= CARDS_MAX:
        raise InputRefused(
            f"a batch has 1 to {CARDS_MAX} cards, and {len(found)} were found: name them with --card"
        )
    return found


def print_batch(
    city: City, cards: Sequence[Card], address: str, out: Path, told: Callable[[int], None]
) -> Printed:
    """Give cards new tokens and PINs, and write what is printed into a new folder; what was printed before opens nothing any more.

    The files are there before a PIN counts: who has no sheet has no card that needs it. Raises InputRefused where the folder is there already.
    """
    require_address(address)
    try:
        (out / "cards").mkdir(parents=True, mode=0o700)
    except FileExistsError:
        raise InputRefused(f"{out} is there already: name a new folder for this batch") from None
    key, name = fingerprint(city.cardholders.receipts.key), out.name
    drawn, pins, lines = [], [], []
    for done, card in enumerate(cards, 1):
        token, pin = city.cardholders.tokens.renew(card), new_pin()
        city.cardholders.pins.set(card, pin)
        code = code_of(f"{address}/c/{token}")
        drawn.append((card.card_number, code))
        pins.append((card.card_number, pin))
        lines.append(_line(out, card, token, faces.svg(card.card_number, code, key)))
        told(done)
    passphrase = mailers.new_passphrase()
    files = {
        "cards.pdf": faces.pdf(drawn, key, f"Kartu Semarang Hebat, {name}"),
        "pins.pdf": mailers.pdf(pins, passphrase, f"Kartu Semarang Hebat, {name}, PIN"),
    }
    for file, data in files.items():
        write_atomically(out / file, data)
    said = {
        "format": FORMAT, "batch": name, "made_at": local(city.clock.now()).isoformat(timespec="seconds"),
        "address": f"{address}/c/", "key": key, "code_mm": SIDE_MM,
        "files": {file: hashlib.sha256(data).hexdigest() for file, data in files.items()}, "cards": lines,
    }  # fmt: skip
    write_atomically(out / "manifest.json", (json.dumps(said, indent=1) + "\n").encode())
    return Printed(name, len(cards), passphrase)


def _line(out: Path, card: Card, token: str, drawing: str) -> dict[str, Any]:
    """A card in the manifest: the digest of its token, never the token."""
    number, data = card.card_number, drawing.encode()
    write_atomically(out / "cards" / f"{number}.svg", data)
    return {
        "number": str(number), "check_digit": number % 10, "file": f"cards/{number}.svg",
        "sha256": hashlib.sha256(data).hexdigest(), "token_sha256": hashlib.sha256(token.encode()).hexdigest(),
    }  # fmt: skip
