"""A bank as the scenarios have it: it writes lines about items as banks do, and the truth is kept beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from keys.clock import Day
from keys.money import Sen
from settlement.matching.sides import Expected, Told
from settlement.statements.kept import LineKey
from tests.settlement.town import BNI, DAY, JATENG, MANDIRI

if TYPE_CHECKING:
    import random

HOLIDAYS: Final = (DAY + 1, DAY + 2)  # a Thursday and a Friday: with the weekend four closed days
PARTIES: Final = (
    "PT Citra Armada", "BLU Trans Semarang", "Toko Oen", "Lumpia Gang Lombok", "CV Pandanaran Jaya Abadi", "Pasar Johar Blok A",
    "Koperasi Simpang Lima", "Bandeng Juwana Elrina", "Es Krim Tugu Muda", "UD Kota Lama Sejahtera", "Soto Bangkong",
    "Warung Tahu Gimbal Pak Edy", "Batik Semarang Enam Belas", "Kios Majapahit", "Wingko Babat Cap Kereta",
)  # fmt: skip
RUPIAH: Final = 100
VOWELS: Final = str.maketrans("", "", "AEIOU")
FEES: Final = (2_500 * RUPIAH, 2_900 * RUPIAH)
DECORATIONS: Final = (
    "TRSF E-BANKING DB 1811/FTSCY/WS95031 {}", "/EREF/{}/REMI/PEMBAYARAN", "BIFAST TRF KE {} BCA", "CMS PAYROLL {} 000123",
    "MCM InhouseTrf KE {}", "TRANSFER {} IDR", "{}",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Truth:
    """Items and lines that belong together, by reference and by number of the line."""

    items: frozenset[str]
    lines: frozenset[int]
    decidable: bool


@dataclass(slots=True)
class Scenario:
    """One situation: both sides, and what is true of them."""

    kind: str
    items: list[Expected] = field(default_factory=list)
    lines: list[Told] = field(default_factory=list)
    truths: list[Truth] = field(default_factory=list)
    parties: dict[int, str] = field(default_factory=dict)
    """Whose name the text of a line carries, by the line's number."""

    def true(self, items: list[Expected], lines: list[Told], *, decidable: bool = True) -> None:
        self.truths.append(
            Truth(
                frozenset(one.reference for one in items),
                frozenset(one.key.number for one in lines),
                decidable,
            )
        )


class Bank:
    """Dice, counters, and a bank's ways with what it is told; `number` tells scenarios apart in one file."""

    def __init__(self, kind: str, number: int, dice: random.Random) -> None:
        self.made = Scenario(kind)
        self.dice = dice
        self.code = dice.choice((BNI, JATENG, MANDIRI))
        self.party = dice.choice(PARTIES)
        self._number = number
        self._items = 0
        self._lines = 0
        self._printed: dict[str, str] = {}

    def amount(self) -> int:
        """A payment as they are: fares by the thousand, sales less a discount with its sen."""
        size = self.dice.choice((40_000, 400_000, 3_000_000, 60_000_000))
        sen = self.dice.choice((0, 0, 50, self.dice.randrange(100)))
        return -(self.dice.randrange(size // 10, size) * RUPIAH + sen)

    def cash(self) -> int:
        """What an agent's cardholders loaded: notes."""
        return self.dice.randrange(20, 900) * 5_000 * RUPIAH

    def item(
        self, amount: int = 0, window: int = 0, days: int = 0, party: str = "", bank: int = 0
    ) -> Expected:
        self._items += 1
        date = f"202611{18 + window:02d}"
        reference = f"KSH-{date}-{bank or self.code:04d}-{(self._number * 8 + self._items) % 10_000:04d}"
        made = Expected(
            reference, bank or self.code, Sen(amount or self.amount()), Day(DAY + window), Day(DAY + window + days),
            party or self.party,
        )  # fmt: skip
        self.made.items.append(made)
        return made

    def line(
        self, amount: int, day: int = 0, *, field: str = "", text: str = "", own: str = "", bank: int = 0, repeated: bool = False
    ) -> Told:  # fmt: skip
        self._lines += 1
        number = self._number * 16 + self._lines
        key = LineKey("cd" * 32, 1, number)
        own_reference = own or f"{self.dice.randrange(10**9):09d}S{number}"
        made = Told(
            key, bank or self.code, Day(DAY + day), Sen(amount), "", field, text, own_reference, repeated
        )
        self.made.lines.append(made)
        if party := next((party for printed, party in self._printed.items() if printed in text), ""):
            self.made.parties[number] = party
        return made

    def named(self, name: str = "") -> str:
        """A party as a bank prints it: large letters, cut, the legal form moved, dropped or kept."""
        words = (name or self.party).upper()
        form, _, rest = words.partition(" ")
        if form in {"PT", "CV", "UD"}:
            words = self.dice.choice((words, rest, f"{rest} {form}", f"{form}. {rest}"))
        if self.dice.randrange(40) == 0:  # shortened by hand: TOKO OEN is TK OEN to somebody at the bank
            words = " ".join(word[0] + word[1:].translate(VOWELS) for word in words.split())
        words = words[: self.dice.choice((16, 18, 20, 35))].strip()
        self._printed[words] = name or self.party
        return self.dice.choice(("TRF {}", "{}", "SETOR {} TUNAI", "KE {}", "{}/PEMBAYARAN")).format(words)

    def told(self, one: Expected, amount: int = 0, day: int | None = None) -> Told:
        """An item as a good bank books it: with its reference, whole, somewhere."""
        day = one.due - DAY if day is None else day
        form = self.dice.randrange(4)
        if form == 0:
            return self.line(amount or one.amount, day, field=one.reference, text=self.named(one.name))
        written = one.reference
        if form == 1:
            written = written.lower()
        if form == 2:
            written = written.replace("-", self.dice.choice((" ", "/", "", ".", " - ")))
        decorated = self.dice.choice(DECORATIONS).format(written)
        return self.line(amount or one.amount, day, text=decorated)
