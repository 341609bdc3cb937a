"""Every real flow of a terminal on a virtual card, measured: its exchanges, and the terminal's own share.

The flows are the terminal's own code (`terminals.terminal`, `terminals.tap`, `card.personalise`, `card.purse`) with an outbox on disk.
"""

from __future__ import annotations

import os
import statistics
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Self

import httpx2

from card import far, relay
from card.airtime import Link, Rate, cost_of, modelled_ms
from card.chip_time import CHIP, work_of
from card.inspecting import last_records
from card.layout import NEVER, Concession, Identity, TapKind, card_number
from card.personalise import personalise
from card.purse import Change
from card.trace import Recorder, name_of
from card.virtual import VirtualCard
from hebat.story_clock import StoryClock
from keys.clock import UnixMs
from keys.filevault import FileVault
from keys.money import Rupiah
from keys.vault import Role
from terminals.fares import TRANS_SEMARANG_2022, Place
from terminals.outbox import Outbox
from terminals.terminal import Terminal
from terminals.upkeep import Parts
from terminals.upload import Link as LedgerLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.airtime import Cost
    from card.purse import Evidence
    from card.trace import Exchange

RUNS: Final = 15
"""How often each flow runs for the median of the terminal's share."""
UNCONFIRMED: Final = "sale, answer lost, tapped again"
_START: Final = UnixMs(1_795_000_000_000)
_HOUR: Final = 3_600_000
_LOAD, _SALE = Rupiah(50_000), Rupiah(12_500)
_IN = Place("1", "Simpang Lima", 1, 7, 1001)
_OUT = Place("1", "Tugu Muda", 1, 8, 1001)
_TERMINAL: Final = 1001
_SALE_EXCHANGES: Final = 11
_IDENTITY: Final = Identity(
    card_number(9, 1), 9, 1, registered=True, concession=Concession.GENERAL, concession_until=NEVER,
    valid_until=NEVER,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Flow:
    """One flow: its exchanges, and the terminal's share in milliseconds (median of the runs)."""

    name: str
    exchanges: tuple[Exchange, ...]
    host_ms: float

    @property
    def sent(self) -> int:
        """Bytes of all command APDUs."""
        return sum(len(one.apdu) for one in self.exchanges)

    @property
    def received(self) -> int:
        """Bytes of all answers."""
        return sum(len(one.answer) for one in self.exchanges)

    def cost(self, rate: Rate) -> Cost:
        """Modelled time at a rate, activation included."""
        return modelled_ms(self.exchanges, Link(rate))

    def as_json(self, rate: Rate) -> dict[str, Any]:
        """Sizes in bytes, times in milliseconds; `steps` is the flow exchange by exchange at `rate`."""
        return {
            "flow": self.name,
            "exchanges": len(self.exchanges),
            "sent": self.sent,
            "received": self.received,
            "modelled_ms": {str(int(one)): round(self.cost(one).total_ms, 2) for one in Rate},
            "host_ms": round(self.host_ms, 3),
            "steps": [_step(one, rate) for one in self.exchanges],
        }


def _step(exchange: Exchange, rate: Rate) -> dict[str, Any]:
    cost = cost_of(exchange, Link(rate))
    return {
        "command": name_of(exchange.apdu),
        "sent": len(exchange.apdu),
        "received": len(exchange.answer),
        "air_ms": round(cost.air_ms, 2),
        "chip_ms": round(cost.chip_ms, 2),
        "chip_is_measured": CHIP[work_of(exchange.apdu)].measured,
    }


class _Bench:
    """A terminal with every key, on a temporary disk, and one fresh card."""

    def __init__(self, folder: Path, vault: FileVault, card: VirtualCard) -> None:
        self.vault, self.card = vault, card
        self.clock = StoryClock(_START)
        self._client = httpx2.Client(base_url="http://127.0.0.1")  # never asked, for nothing is uploaded
        line = LedgerLine(self._client, _TERMINAL, bytes, b"", self.clock)
        self.outbox = Outbox(folder / "outbox.db")
        parts = Parts(_TERMINAL, self.outbox, vault, line, self.clock, TRANS_SEMARANG_2022)
        self.terminal = Terminal(parts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.outbox.close()
        self._client.close()

    def later(self) -> None:
        """Let two hours pass, so that no transfer window is open."""
        self.clock.move_to(UnixMs(self.clock.now() + 2 * _HOUR))

    def load(self, card: Recorder) -> Evidence:
        """Load cash as the ledger does it; the way between ledger and kiosk is no part of what is measured."""
        change = Change(TapKind.LOAD, _LOAD, None, _TERMINAL, 1, self.clock.now(), 1)
        key = self.vault.card_key(Role.LOAD, 1, card.uid)
        return far.driven(relay.loaded(card.uid, [key], change, lambda _identity: None), card)

    def lose_an_answer(self) -> None:
        """A sale whose commit the card carries out, and whose answer is lost."""
        self.card.tear(_SALE_EXCHANGES, acts=True)
        self.terminal.sale(self.card, _SALE)


_Step = tuple[str, "Callable[[_Bench, Recorder], object]"]
_STEPS: Final[tuple[_Step, ...]] = (
    ("personalise", lambda at, card: personalise(card, at.vault, _IDENTITY)),
    ("load", lambda at, card: at.load(card)),
    ("fare, flat", lambda at, card: at.terminal.fare(card, _IN)),
    ("tap in", lambda at, card: at.terminal.tap_in(card, _IN)),
    ("tap out", lambda at, card: at.terminal.tap_out(card, _OUT)),
    ("sale", lambda at, card: at.terminal.sale(card, _SALE)),
    ("balance and log", lambda at, card: last_records(card, at.vault)),
    (UNCONFIRMED, lambda at, card: at.terminal.sale(card, _SALE)),
)


def profile(runs: int = RUNS) -> list[Flow]:
    """Run each flow `runs` times, each time with a fresh card (so that keys are derived anew), and take the median of the host's share."""
    with TemporaryDirectory(prefix="hebat-profile-") as folder:
        vault = _vault(Path(folder))
        taken = [_run(Path(folder) / str(number), vault, number) for number in range(runs)]
    return [
        Flow(name, tuple(taken[0][place][0]), statistics.median(run[place][1] for run in taken))
        for place, (name, _) in enumerate(_STEPS)
    ]


def _vault(folder: Path) -> FileVault:
    vault = FileVault.create(folder / "city.vault", "profile", 16)
    for role in Role:
        vault.add_master(role, 1, os.urandom(16))
    return vault


def _run(folder: Path, vault: FileVault, number: int) -> list[tuple[list[Exchange], float]]:
    folder.mkdir()
    card = VirtualCard(b"\x04" + number.to_bytes(6, "big"))
    taken: list[tuple[list[Exchange], float]] = []
    with _Bench(folder, vault, card) as bench:
        for name, step in _STEPS:
            bench.later()
            if name == UNCONFIRMED:
                bench.lose_an_answer()
            recorder = Recorder(card)
            step(bench, recorder)
            idle_ns = recorder.idle_ns  # what the terminal did after the last answer: the record made durable
            taken.append((recorder.exchanges, _host_ms(recorder.exchanges, idle_ns)))
    return taken


def _host_ms(exchanges: list[Exchange], after_ns: int) -> float:
    return (sum(one.host_ns for one in exchanges) + after_ns) / 1_000_000
