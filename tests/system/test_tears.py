"""Every exchange of every flow, cut before and after the card acts, and every way a card may come back: the books close exactly.

Nothing is sampled. How many exchanges a flow has is counted by a dry run; the last test counts the cases.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import permutations, product
from typing import TYPE_CHECKING, Final

import pytest

from card.errors import CardLost
from card.virtual import VirtualCard
from hebat.cards.making import Wanted, make
from hebat.demo.plan import BANK_JATENG
from hebat.issuing import Issued
from ledger.intake.reasons import ExceptionKind
from terminals.errors import LoadDenied
from terminals.tap import Colour
from tests.system.tears import (
    FLOWS,
    LONGER,
    Case,
    Flow,
    Run,
    Then,
    cases,
    check_case,
    exchanges,
    others,
    used_by,
)
from tests.system.tears_city import BUSES, KIOSKS, TILLS, Rig, check_laws, fare, load, sale

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hebat.fleet import Post

LONG: Final = os.environ.get("HEBAT_LONG") == "1"


ENDINGS: Final = {ExceptionKind.INTENT_SETTLED, ExceptionKind.INTENT_VOIDED}
PERSONALISATION: Final = "personalisation"
RAN: Final[dict[str, list[Case]]] = {}
"""What the tests did, a flow each."""


@pytest.fixture
def long() -> None:
    """What takes minutes runs where it is asked for."""
    if not LONG:
        pytest.skip("it takes minutes: set HEBAT_LONG=1")


@contextmanager
def named(*what: object) -> Iterator[None]:
    """A failure inside says which case it was."""
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{', '.join(map(str, what))}: {error}") from error


def check_books(rig: Rig) -> None:
    """At the end of a flow: nothing to explain but what the cards themselves told, and every law held."""
    assert {row.kind for row in rig.exceptions()} <= ENDINGS
    check_laws(rig)


def cut_everywhere(rig: Rig, flow: Flow, *, killed: bool = False) -> list[Case]:
    """Every case of a flow, a fresh card each."""
    whole, used = exchanges(rig, flow)
    todo = cases(used)
    cards, strangers = rig.loaded(len(todo)), rig.loaded(others(todo))
    for case in todo:
        with named(case):
            check_case(Run(rig, flow, next(cards), whole), case, strangers, killed=killed)
    check_books(rig)
    return todo


@pytest.mark.parametrize("name", FLOWS)
def test_wherever_a_tap_is_cut_and_however_the_card_comes_back_the_books_close(rig: Rig, name: str) -> None:
    RAN[name] = cut_everywhere(rig, FLOWS[name])
    assert RAN[name]


@pytest.mark.parametrize("name", LONGER)
def test_the_same_holds_where_the_card_was_torn_before(long: None, rig: Rig, name: str) -> None:
    RAN[name] = cut_everywhere(rig, LONGER[name])
    assert RAN[name]


@pytest.mark.parametrize("name", ["flat fare", "load"])
def test_a_terminal_that_was_killed_after_the_cut_goes_on_from_its_disk(rig: Rig, name: str) -> None:
    done = cut_everywhere(rig, FLOWS[name], killed=True)
    assert rig.restarts == len(done)


def torn_twice(rig: Rig, flow: Flow, thens: tuple[Then, ...]) -> int:
    """Cut at i, and on return to the same terminal at j: all pairs, both ends; how many cases."""
    bare, _ = exchanges(rig, flow)
    count = 0
    for first, acts in product(range(1, bare + 1), (False, True)):
        again = replace(flow, cut=((first, acts),))
        todo = [case for case in cases(used_by(rig, again, bare)) if case.then in thens]
        cards, strangers = rig.loaded(len(todo)), rig.loaded(others(todo))
        for case in todo:
            with named(Case(first, acts, Then.SAME), case):
                check_case(Run(rig, again, next(cards), bare), case, strangers)
        count += len(todo)
    return count


def test_a_fare_that_is_torn_twice_is_paid_once_wherever_both_cuts_are(rig: Rig) -> None:
    bare, _ = exchanges(rig, FLOWS["flat fare"])
    resolving = sum(exchanges(rig, FLOWS[f"resolving {what} fare"])[1] for what in ("a paid", "an unpaid"))
    count = torn_twice(rig, FLOWS["flat fare"], (Then.SAME,))
    assert count == 2 * (2 * (bare - 1) * bare + resolving)
    check_books(rig)


@pytest.mark.parametrize("name", ["flat fare", "tap-out", "sale", "load"])
def test_a_tap_that_is_torn_twice_closes_however_the_card_goes_on(long: None, rig: Rig, name: str) -> None:
    assert torn_twice(rig, FLOWS[name], tuple(Then)) > 0
    check_books(rig)


@pytest.mark.parametrize("name", ["flat fare", "load"])
def test_two_torn_taps_at_two_terminals_close_in_every_order_of_upload(rig: Rig, name: str) -> None:
    for first in (False, True):
        flow = replace(FLOWS[name], torn=(first,), away=True)
        whole, used = exchanges(rig, flow)
        cuts = range(1, used + 1) if LONG else [used]
        todo = list(product(cuts, (False, True), permutations(flow.posts)))
        cards = rig.loaded(len(todo))
        for cut, acts, order in todo:
            with named(name, first, cut, acts, [post.number for post in order]):
                check_order(Run(rig, flow, next(cards), whole), cut, order, acts=acts)
    check_books(rig)


def check_order(run: Run, cut: int, order: tuple[Post, ...], *, acts: bool) -> None:
    """The second terminal's tap is torn too, a third one's is not; then they upload one after the other."""
    run.torn(run.here, cut, acts=acts)
    run.rig.wait(200)
    assert run.settle(run.elsewhere).colour is Colour.GREEN
    for post in order:
        run.rig.upload(post)
    run.check_closed()
    run.check_sums()


@pytest.mark.parametrize("paid", [False, True], ids=["not paid", "paid"])
def test_a_hole_in_the_counters_is_a_payment_whose_terminal_has_not_been_heard_of(
    rig: Rig, *, paid: bool
) -> None:
    flow = replace(FLOWS["flat fare"], torn=(paid,), away=True)
    whole, _ = exchanges(rig, flow)
    run = Run(rig, flow, next(rig.loaded(1)), whole)
    assert run.tap(run.here).colour is Colour.GREEN
    rig.upload(run.here)
    assert sorted(rig.in_books(run.card)) == ([1, 3] if paid else [1, 2])
    rig.upload(flow.posts[0])
    run.check_closed()


def test_wherever_a_personalisation_is_cut_no_terminal_takes_the_card_and_the_desk_finishes_it(
    rig: Rig,
) -> None:
    blank = Blank(rig, 0)
    blank.make()
    last = blank.chip._exchanges
    for number, case in enumerate(cases(last), 1):
        with named(PERSONALISATION, case):
            Blank(rig, number).check(case)
        RAN.setdefault(PERSONALISATION, []).append(case)
    check_books(rig)


@dataclass
class Blank:
    """A chip as delivered, on its way to be a card of the city."""

    rig: Rig
    number: int

    def __post_init__(self) -> None:
        self.chip = VirtualCard(b"\x04\xee" + self.number.to_bytes(5, "big"))
        self.before = self.rig.totals()

    def make(self, *, elsewhere: bool = False) -> Issued:
        """Make it a card of the city at a desk; the ledger knows it then."""
        self.chip.leave_field()
        made = make(self.chip, self.rig.other_desk if elsewhere else self.rig.city, Wanted(BANK_JATENG))
        return Issued(self.chip, made.identity, made.token)

    def check(self, case: Case) -> None:
        """Torn, it is refused everywhere; brought back, it becomes a card like any other: its number was kept for it."""
        self.torn(case)
        self.check_refused()
        if case.then is Then.AFTER_OTHERS:
            Blank(self.rig, self.number + 1_000_000).make()
        if case.then is Then.NEVER:
            return
        issued = self.make(elsewhere=case.then is Then.ELSEWHERE)
        if case.then is Then.SAME:
            self.check_it_works(issued)
        else:
            self.chip.leave_field()
            assert fare(self.rig.terminal(BUSES[0]), self.chip).reason == "short"  # nothing on it yet

    def torn(self, case: Case) -> None:
        """Pulled away at an exchange."""
        self.chip.tear(case.cut, acts=case.acts)
        with pytest.raises(CardLost):
            self.make()
        self.chip.tear(0, acts=False)

    def check_refused(self) -> None:
        """Before the ledger knows it, and whatever state it is in: no green, no load, no record, no money."""
        rig = self.rig
        for act, post in ((fare, BUSES[0]), (sale, TILLS[0])):
            self.chip.leave_field()
            outcome = act(rig.terminal(post), self.chip)
            assert (outcome.colour, outcome.sequence) == (Colour.RED, 0)
        self.chip.leave_field()
        with pytest.raises(LoadDenied, match="do not take the cash"):
            load(rig.terminal(KIOSKS[0]), self.chip)
        assert rig.totals() == self.before

    def check_it_works(self, issued: Issued) -> None:
        """Loaded, it pays, and the books close."""
        run = Run(self.rig, FLOWS["flat fare"], next(self.rig.with_value([issued])), 0)
        assert run.tap(run.here).colour is Colour.GREEN
        run.upload()
        run.check_closed()
        run.check_sums()


def test_every_cut_of_every_flow_was_made(rig: Rig) -> None:
    flows = FLOWS | LONGER if LONG else FLOWS
    missing = {*flows, PERSONALISATION} - RAN.keys()
    if missing:
        pytest.skip(f"it counts what the other tests did, and {min(missing)} was not run")
    blank = Blank(rig, 0)
    blank.make()
    counted = {name: exchanges(rig, flow)[1] for name, flow in flows.items()}
    counted[PERSONALISATION] = blank.chip._exchanges
    assert {name: len(set(RAN[name])) for name in counted} == {
        name: used * len((False, True)) * len(Then) for name, used in counted.items()
    }
