"""Run a planned day: every event through a real card and a real terminal, uploads as the network allows, and three attackers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Final

import httpx2

from card.batch import (
    CONTENT_TYPE,
    FIRST_DIGEST,
    Context,
    RecordStatus,
    TapRecord,
    encode_batch,
    encode_record,
)
from card.layout import TapKind
from hebat.demo.plan import CORRIDORS, Action, Event, Mishap, Plan
from keys import envelope
from keys.clock import UnixMs, local, moment
from keys.identity import TerminalIdentity
from keys.money import Rupiah
from terminals.fares import Place
from terminals.places import corridors
from terminals.tap import Colour

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from card.virtual import VirtualCard
    from hebat.issuing import Issued
    from hebat.story_clock import StoryClock
    from terminals.tap import Outcome
    from terminals.terminal import Terminal

UPLOAD_EVERY_MS: Final = 10 * 60 * 1000
OFFLINE: Final = {1: (time(7), time(12, 30)), 4: (time(6, 30), time(11)), 6: (time(16), time(21))}
"""Buses that lose the network for hours."""
LATE_BUS: Final = 7
"""The bus whose afternoon arrives after the cut-off: it settles with the next window."""
LATE_SINCE: Final = time(15)
_COMMIT_EXCHANGE: Final = {Action.FARE: 12, Action.LOAD: 11}
"""The exchange that is the commit; a load writes no journey."""
_BEFORE_COMMIT: Final = 9


@dataclass(slots=True)
class Diary:
    """What people saw on the screens, and what was sent by nobody's terminal."""

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    attacks: list[tuple[str, int, str]] = field(default_factory=list)
    torn: int = 0
    uploads: int = 0
    records: int = 0

    def saw(self, action: str, outcome: Outcome) -> None:
        """Count a screen."""
        why = {Colour.GREEN: "", Colour.AMBER: ": tap again", Colour.RED: f": {outcome.detail}"}
        shown = f"{outcome.colour}{why[outcome.colour]}"
        self.outcomes[action, shown] += 1


class Play:
    """The state of a day that runs."""

    def __init__(
        self, plan: Plan, cards: Sequence[Issued], terminals: dict[Action, list[Terminal]], clock: StoryClock
    ) -> None:
        self._plan = plan
        self._cards = cards
        self._terminals = terminals
        self._clock = clock
        self._places = _places([bus.number for bus in terminals[Action.FARE]])
        self._next_upload = plan.events[0].at
        self._beside: list[tuple[UnixMs, Callable[[], None]]] = []
        self.diary = Diary()

    def beside(self, acts: Sequence[tuple[time, Callable[[], None]]]) -> None:
        """What else happens on the day, in order of time, between the taps."""
        self._beside = [(moment(datetime.combine(self._plan.day, at)), act) for at, act in acts]

    def _beside_until(self, at: UnixMs) -> None:
        while self._beside and self._beside[0][0] <= at:
            when, act = self._beside.pop(0)
            self._clock.move_to(when)
            act()

    @property
    def clock(self) -> StoryClock:
        """The story's time."""
        return self._clock

    @property
    def day(self) -> date:
        """The day that is played."""
        return self._plan.day

    def run(self, progress: Callable[[float], None]) -> None:
        """All events in order; `progress` is told after each."""
        clone: VirtualCard | None = None
        noon = moment(datetime.combine(self._plan.day, time(12)))
        for number, event in enumerate(self._plan.events, 1):
            if clone is None and event.at >= noon:
                clone = self._cards[self._plan.cloned].chip.clone()
            self._beside_until(event.at)
            self._clock.move_to(event.at)
            self._event(event)
            self._upload_when_due()
            progress(number)
        if clone is not None:
            self._clone_rides(clone)
        self._beside_until(moment(datetime.combine(self._plan.day, time(22))))

    def _event(self, event: Event) -> None:
        chip = self._cards[event.card].chip
        if event.mishap is not Mishap.NONE:
            self.diary.torn += 1
            self._tear(chip, event)
        self.diary.saw(event.action, self._tap(chip, event))
        if event.mishap in {Mishap.TORN_BEFORE, Mishap.ANSWER_LOST}:
            self.diary.saw(event.action, self._tap(chip, event))

    def _tear(self, chip: VirtualCard, event: Event) -> None:
        at = _BEFORE_COMMIT if event.mishap is Mishap.TORN_BEFORE else _COMMIT_EXCHANGE[event.action]
        chip.tear(at, acts=event.mishap in {Mishap.ANSWER_LOST, Mishap.ANSWER_LOST_GONE})

    def _tap(self, chip: VirtualCard, event: Event) -> Outcome:
        terminal = self._terminals[event.action][event.terminal]
        chip.leave_field()
        if event.action is Action.FARE:
            self._write_waiting(terminal, chip)
            return terminal.fare(chip, self._place(event))
        if event.action is Action.SALE:
            return terminal.sale(chip, event.amount)
        return terminal.load(chip, event.amount)

    def _write_waiting(self, terminal: Terminal, chip: VirtualCard) -> None:
        """What the card's holder ordered from the wallet, if something waits for it."""
        written = terminal.write_waiting(chip)
        if written is not None:
            self.diary.saw("load from the wallet", written)

    def _place(self, event: Event) -> Place:
        stops = self._places[event.terminal]
        return stops[event.at // 60_000 % len(stops)]

    def _upload_when_due(self) -> None:
        if self._clock.now() < self._next_upload:
            return
        self._next_upload = UnixMs(self._clock.now() + UPLOAD_EVERY_MS)
        for action, terminals in self._terminals.items():
            for number, terminal in enumerate(terminals):
                if action is not Action.FARE or not self._is_offline(number):
                    self.upload(terminal)

    def _is_offline(self, bus: int) -> bool:
        now = local(self._clock.now()).time()
        since, until = OFFLINE.get(bus, (time.max, time.max))
        return since <= now < until or (bus == LATE_BUS and now >= LATE_SINCE)

    def upload(self, terminal: Terminal, *, last: bool = False) -> None:
        """Send what a terminal has; at the end of its shift also what waits for cards that will not come back."""
        done = terminal.close_shift() if last else terminal.upload()
        if done.sent:
            self.diary.uploads += 1
            self.diary.records += done.sent

    def _clone_rides(self, clone: VirtualCard) -> None:
        """The copy and the card both ride in the evening: both chips count the same transaction."""
        evening = moment(datetime.combine(self._plan.day, time(20, 30)))
        for bus, chip in ((2, self._cards[self._plan.cloned].chip), (3, clone)):
            self._clock.move_to(UnixMs(max(evening, self._clock.now()) + bus * 60_000))
            event = Event(self._clock.now(), Action.FARE, self._plan.cloned, bus)
            self.diary.saw(event.action, self._tap(chip, event))

    def end_shift(self, *, late: bool) -> None:
        """Everybody uploads; the late bus only once the others' window has closed."""
        for action, terminals in self._terminals.items():
            for number, terminal in enumerate(terminals):
                if (action is Action.FARE and number == LATE_BUS) is late:
                    self.upload(terminal, last=True)


def _places(vehicles: Sequence[int]) -> list[list[Place]]:
    """The stops of each bus on its corridor, with the numbers of the shipped feed."""
    lines = [corridor for corridor in corridors() if corridor.name in CORRIDORS]
    return [
        [Place(line.name, stop.name, line.number, stop.number, vehicle) for stop in line.stops]
        for line, vehicle in zip(lines, vehicles, strict=True)
    ]


class Attackers:
    """What is sent by those who have no terminal, or somebody else's bytes."""

    def __init__(self, address: str, clock: StoryClock, diary: Diary) -> None:
        self._client = httpx2.Client(base_url=address, timeout=30)
        self._clock = clock
        self._diary = diary

    def forge(self, terminal: int, victim: Issued, folder: Path) -> None:
        """A batch in a real terminal's name, signed with a key that the authority has never seen."""
        record = TapRecord(
            1, RecordStatus.CONFIRMED, TapKind.SALE, victim.chip.uid, 1, bytes(8), bytes(16), Rupiah(-1_000_000),
            self._clock.now(), 0, b"", Context(),
        )  # fmt: skip
        payload = encode_batch(terminal, 1, FIRST_DIGEST, self._clock.now(), [encode_record(record)])
        sign = TerminalIdentity(folder).sign
        body = envelope.seal(payload, kid=terminal.to_bytes(4, "big"), sign=sign, content_type=CONTENT_TYPE)
        self._send("forged batch", body)

    def replay(self, body: bytes) -> None:
        """Yesterday's bytes of a real terminal, sent again."""
        self._send("replayed batch", body)

    def _send(self, name: str, body: bytes) -> None:
        response = self._client.post(
            "/v1/batches", content=body, headers={"Content-Type": "application/cose"}
        )
        answer = response.json()
        told = answer.get("title") or f"the first answer again, {len(answer['results'])} records"
        self._diary.attacks.append((name, response.status_code, told))

    def close(self) -> None:
        """Hang up."""
        self._client.close()
