"""A tap that is cut: flows of a terminal, ways for the card to go on, and what must hold of chip and books after each.

How many exchanges a flow has is counted by a dry run, so that no number of the protocol stands here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from keys.money import sen_of
from ledger.intake.reasons import Reason
from terminals.tap import Colour
from tests.system.tears_city import BUSES, KIOSKS, TILLS, fare, load, sale, tap_in, tap_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from card.layout import LogRecord
    from hebat.fleet import Post
    from hebat.issuing import Issued
    from terminals.tap import Outcome
    from tests.system.tears_city import Act, Rig

TAPS_MAX: Final = 3


class Then(StrEnum):
    """What the card does after it was pulled away."""

    SAME = "back at once"
    AFTER_OTHERS = "back after another card"
    ELSEWHERE = "at another terminal"
    NEVER = "never back"


@dataclass(frozen=True, slots=True)
class Case:
    """One cut: at which exchange, whether the chip still acted, and what came then."""

    cut: int
    acts: bool
    then: Then

    def __str__(self) -> str:
        return f"cut {self.cut} {'after' if self.acts else 'before'} the card acts, {self.then}"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a terminal showed."""

    terminal: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Flow:
    """A tap to cut: where, what the card did before, and what may be paid.

    `torn` taps came before and were cut at their commit (True: the card committed), `cut` ones at any exchange; `overtaken` says that
    the card was at a second terminal since, `away` that it is there now. `again`: a second terminal cannot know that the first was
    paid, and takes the price again. `given`: so many of the last exchanges are given away at once, and nobody knows which were made.
    """

    tap: Act
    later: Act
    posts: tuple[Post, ...]
    price: int
    first: tuple[Act, ...] = ()
    torn: tuple[bool, ...] = ()
    cut: tuple[tuple[int, bool], ...] = ()
    overtaken: bool = False
    away: bool = False
    again: bool = False
    given: int = 1


FLOWS: Final = {
    "flat fare": Flow(fare, fare, BUSES, 3_500),
    "tap-in": Flow(tap_in, tap_in, BUSES, 0),
    "tap-out": Flow(tap_out, tap_in, BUSES, 3_500, first=(tap_in,)),
    "sale": Flow(sale, sale, TILLS, 12_000, again=True),
    "load": Flow(load, load, KIOSKS, 20_000, given=2, again=True),
    "resolving a paid fare": Flow(fare, fare, BUSES, 3_500, torn=(True,)),
    "resolving an unpaid fare": Flow(fare, fare, BUSES, 3_500, torn=(False,)),
    "resolving a load that landed": Flow(load, load, KIOSKS, 20_000, given=2, torn=(True,), again=True),
    "resolving a load that did not": Flow(load, load, KIOSKS, 20_000, given=2, torn=(False,), again=True),
    "elsewhere after an unpaid fare": Flow(fare, fare, BUSES, 3_500, torn=(False,), away=True),
}
LONGER: Final = {
    "resolving a paid tap-out": Flow(tap_out, tap_in, BUSES, 3_500, first=(tap_in,), torn=(True,)),
    "resolving a paid sale": Flow(sale, sale, TILLS, 12_000, torn=(True,), again=True),
    "resolving an unpaid sale": Flow(sale, sale, TILLS, 12_000, torn=(False,), again=True),
    "overtaken after a paid fare": Flow(fare, fare, BUSES, 3_500, torn=(True,), overtaken=True),
    "overtaken after an unpaid fare": Flow(fare, fare, BUSES, 3_500, torn=(False,), overtaken=True),
    "elsewhere after a paid fare": Flow(fare, fare, BUSES, 3_500, torn=(True,), away=True),
    "elsewhere after a load that landed": Flow(
        load, load, KIOSKS, 20_000, given=2, torn=(True,), away=True, again=True
    ),
    "elsewhere after a load that did not": Flow(
        load, load, KIOSKS, 20_000, given=2, torn=(False,), away=True, again=True
    ),
}
"""Flows whose enumeration takes longer than one waits for."""


def greens(shown: Iterable[Shown]) -> list[tuple[int, int]]:
    """What was shown as done, by terminal and its number."""
    return [(one.terminal, one.outcome.sequence) for one in shown if one.outcome.colour is Colour.GREEN]


@dataclass
class Run:
    """One card through one flow; `commit` is the exchange at which a whole tap commits."""

    rig: Rig
    flow: Flow
    card: Issued
    commit: int
    shown: list[Shown] = field(default_factory=list)
    read: dict[int, LogRecord] | None = None

    def __post_init__(self) -> None:
        flow = self.flow
        for act in flow.first:
            assert self.tap(flow.posts[0], act).colour is Colour.GREEN
        self.shown.clear()
        self.start = len(self.log())
        for acts in flow.torn:
            self.torn(flow.posts[0], self.commit, acts=acts)
        for cut, acts in flow.cut:
            self.torn(flow.posts[0], cut, acts=acts)
        if flow.overtaken:
            self.rig.wait(200)
            assert self.tap(flow.posts[1]).colour is Colour.GREEN
        self.rig.wait(200 if flow.away or flow.overtaken else 1)

    @property
    def here(self) -> Post:
        """Where the card is pulled away."""
        return self.flow.posts[1] if self.flow.away else self.flow.posts[0]

    @property
    def elsewhere(self) -> Post:
        """Another terminal of the kind."""
        return self.flow.posts[2] if self.flow.away else self.flow.posts[1]

    @property
    def late(self) -> Post:
        """Where the card is used a long time after."""
        return self.flow.posts[0] if self.flow.away else self.flow.posts[2]

    def tap(self, post: Post, act: Act | None = None) -> Outcome:
        """Hold the card to a terminal."""
        chip = self.card.chip
        chip.leave_field()
        begun, self.read = chip._exchanges, None
        outcome = (act or self.flow.tap)(self.rig.terminal(post), chip)
        self.used = chip._exchanges - begun
        self.shown.append(Shown(post.number, outcome))
        if outcome.colour is Colour.GREEN:
            self.check_green(post.number, outcome.sequence)
        return outcome

    def log(self) -> dict[int, LogRecord]:
        """What the chip's log holds, by counter; read once between two taps."""
        if self.read is None:
            self.read = self.rig.on_chip(self.card)
        return self.read

    def check_green(self, terminal: int, sequence: int) -> None:
        """Green is shown for the newest commit of this card, and once."""
        newest = max(self.log().items())[1]
        assert (newest.terminal, newest.sequence) == (terminal, sequence)
        assert greens(self.shown).count((terminal, sequence)) == 1

    def torn(self, post: Post, cut: int, *, acts: bool) -> None:
        """The same, pulled away at an exchange."""
        self.card.chip.tear(cut, acts=acts)
        assert self.tap(post).colour is Colour.AMBER
        self.card.chip.tear(0, acts=False)

    def settle(self, post: Post, act: Act | None = None) -> Outcome:
        """Tap as long as the terminal says so."""
        for _ in range(TAPS_MAX):
            outcome = self.tap(post, act)
            if outcome.colour is not Colour.AMBER:
                return outcome
        raise AssertionError("the terminal goes on asking for the card")

    def upload(self, *, backwards: bool = False) -> None:
        """All terminals end their shifts."""
        posts = self.flow.posts
        self.rig.upload(*(posts[::-1] if backwards else posts))

    def come_back(self, then: Then, strangers: Iterator[Issued]) -> None:
        """The card's way after it was pulled away, and what every terminal has to say of it."""
        if then is Then.AFTER_OTHERS:
            self.check_stranger(next(strangers))
        if then in {Then.SAME, Then.AFTER_OTHERS}:
            assert self.settle(self.here).colour is Colour.GREEN
        if then is Then.ELSEWHERE:
            self.rig.wait(200)
            self.settle(self.elsewhere)
        self.upload(backwards=then is Then.ELSEWHERE)

    def check_stranger(self, stranger: Issued) -> None:
        """Somebody else's tap at the same terminal is not disturbed."""
        terminal = self.rig.terminal(self.here)
        for act in (*self.flow.first, self.flow.tap):
            stranger.chip.leave_field()
            assert act(terminal, stranger.chip).colour is Colour.GREEN

    def come_late(self) -> None:
        """The card's next ordinary tap, hours later; the evidence is in then."""
        self.rig.wait(200)
        assert self.settle(self.late, self.flow.later).colour is Colour.GREEN
        self.upload()

    def check_only_the_unknown_is_missing(self) -> int:
        """What the books lack is what lies in quarantine as unconfirmed, and nothing moved for it; how many such rows."""
        rig, card = self.rig, self.card
        chip, books, open_rows = self.log(), rig.in_books(card), rig.waiting(card)
        unknown = {(row.terminal, row.sequence) for row in open_rows}
        missing = [record for tmc, record in chip.items() if tmc not in books]
        assert {(record.terminal, record.sequence) for record in missing} <= unknown
        assert {row.reason for row in open_rows} <= {Reason.UNCONFIRMED}
        signed = sum(record.amount * (1 if record.kind.credits_card else -1) for record in missing)
        assert rig.shadow(card) == sen_of(card.chip_balance) - 100 * signed
        assert rig.held(card) == sum(row.amount for row in open_rows if row.amount > 0)
        return len(open_rows)

    def check_closed(self) -> None:
        """The books have exactly what the chip has, nothing is open, and the price was paid once."""
        rig, card = self.rig, self.card
        chip = self.log()
        told = {tmc: (r.kind, 100 * r.amount, r.terminal, r.sequence) for tmc, r in chip.items()}
        assert rig.in_books(card) == told
        assert sorted(told) == list(range(1, len(told) + 1))
        assert rig.waiting(card) == []
        assert (rig.shadow(card), rig.held(card)) == (sen_of(card.chip_balance), 0)
        committed = {(record.terminal, record.sequence) for record in chip.values()}
        assert set(greens(self.shown)) <= committed

    def check_price(self, then: Then) -> None:
        """What the passenger paid for the one thing that was wanted, before any later tap."""
        mine = [record for tmc, record in self.log().items() if tmc > self.start]
        paid = [record for record in mine if record.amount]
        once = len(mine) if self.flow.again else min(1, len(mine))
        assert [record.amount for record in paid] == [self.flow.price] * (once if self.flow.price else 0)
        if then in {Then.SAME, Then.AFTER_OTHERS}:
            wanted = 1 + self.flow.overtaken
            unseen = sum(self.flow.torn) if self.flow.overtaken or self.flow.away else 0
            assert (len(greens(self.shown)), len(mine)) == (wanted, wanted + unseen)

    def check_sums(self) -> None:
        """In this card's partition, cash taken is on cards or owed to somebody, and nothing is held any more."""
        books = self.rig.totals(self.card)
        assert books.cash == books.purses + books.payable
        assert books.held == 0


def exchanges(rig: Rig, flow: Flow) -> tuple[int, int]:
    """By a dry run: the exchanges of a whole tap, and those of this flow's tap."""
    bare = Flow(flow.tap, flow.later, flow.posts, flow.price, flow.first, given=flow.given)
    whole = used_by(rig, bare, 0)
    return whole, whole if flow == bare else used_by(rig, flow, whole)


def used_by(rig: Rig, flow: Flow, whole: int) -> int:
    """By a dry run: the exchanges of this flow's tap, where a whole one of its kind has so many."""
    run = Run(rig, flow, next(rig.loaded(1)), whole)
    assert run.tap(run.here).colour is Colour.GREEN
    used = run.used
    run.upload()
    return used


def cases(used: int) -> list[Case]:
    """Every cut, before and after the card acts, and every way on."""
    return [Case(cut, acts, then) for cut in range(1, used + 1) for acts in (False, True) for then in Then]


def others(todo: list[Case]) -> int:
    """How many other people's cards some cases need."""
    return sum(case.then is Then.AFTER_OTHERS for case in todo)


def check_case(run: Run, case: Case, strangers: Iterator[Issued], *, killed: bool = False) -> None:
    """One card, pulled away once: what it did then, what the books know, and that they close."""
    run.torn(run.here, case.cut, acts=case.acts)
    if killed:
        run.rig.restart(run.here.number)
    run.come_back(case.then, strangers)
    run.check_price(case.then)
    unknown = run.check_only_the_unknown_is_missing()
    if case.then is Then.NEVER and not (run.flow.torn or run.flow.cut):
        assert unknown == (case.cut > run.commit - run.flow.given)
    if case.then is Then.NEVER or unknown:
        run.come_late()
    run.check_closed()
    run.check_sums()
