"""Asking after open payments while a server runs: how often, beside the night, and stopped in the middle of a call."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from keys.clock import UnixMs
from keys.money import Rupiah, sen_of
from settlement.banks.asking import FIRST_MS, MOST_MS, Asking
from settlement.banks.payment import State
from settlement.errors import BankSilent
from settlement.partner_bank.bank import LATE_MS
from settlement.partner_bank.faults import Fault
from tests.settlement.banked import CONSENT, OPENED, SAVER, Banked, payout, top_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from settlement.snap.calls import Call, Reply

TEN = sen_of(Rupiah(10_000))
DAY_MS = 86_400_000


def unknown(banked: Banked, *names: str) -> None:
    """Payments whose answers got lost."""
    for name in names:
        banked.bank.faults.script([Fault.LOST_AFTER])
        assert banked.desk.pay(payout(name, 1_000)).state is State.UNKNOWN


def pass_(banked: Banked, milliseconds: int) -> None:
    banked.clock.at = UnixMs(banked.clock.at + milliseconds)


def test_a_payment_is_left_alone_until_its_answer_cannot_come_any_more(banked: Banked) -> None:
    unknown(banked, "P1")
    asking, calls = Asking(banked.desk, banked.clock), len(banked.wire.calls)
    pass_(banked, FIRST_MS - 1)
    assert (asking.look(), len(banked.wire.calls)) == (0, calls)
    pass_(banked, 1)
    assert (asking.look(), banked.desk.find("P1").state) == (1, State.DONE)
    assert (asking.look(), len(banked.wire.calls), banked.moved("P1")) == (0, calls + 1, 1)


def test_a_silent_bank_is_asked_with_pauses_that_double_to_a_quarter_of_an_hour(banked: Banked) -> None:
    unknown(banked, "P1")
    began, asked = banked.clock.at, []
    real = banked.wire.send

    def silent(_call: Call) -> Reply:
        asked.append(banked.clock.at - began)
        raise BankSilent("nothing comes")

    banked.wire.send = silent  # type: ignore[method-assign,assignment]
    asking = Asking(banked.desk, banked.clock)
    while banked.clock.at < began + 3 * 3_600_000:
        asking.look()
        pass_(banked, FIRST_MS)
    pauses = [later - sooner for sooner, later in pairwise(asked)]
    assert asked[0] == FIRST_MS
    assert pauses == [min(FIRST_MS * 2**number, MOST_MS) for number in range(1, len(asked))]
    banked.wire.send = real  # type: ignore[method-assign]
    pass_(banked, MOST_MS)
    assert (asking.look(), banked.desk.find("P1").state) == (1, State.DONE)


def test_what_a_bank_does_late_is_known_when_it_ended_well_or_not(banked: Banked) -> None:
    """Taken with 202; by the bank's clock one is done a minute later, the other one's account is short by then."""
    banked.bank.faults.script([Fault.UNDER_WAY, Fault.UNDER_WAY])
    states = [banked.desk.pay(top_up(name, 600_000)).state for name in ("U1", "U2")]
    assert states == [State.UNKNOWN] * 2
    asking = Asking(banked.desk, banked.clock)
    pass_(banked, FIRST_MS)
    assert asking.look() == 2
    assert [banked.desk.find(name).state for name in ("U1", "U2")] == [State.UNKNOWN] * 2
    pass_(banked, LATE_MS + 2 * FIRST_MS)
    assert asking.look() == 2
    assert [banked.desk.find(name).state for name in ("U1", "U2")] == [State.DONE, State.FAILED]
    assert banked.balance(SAVER) == OPENED - sen_of(Rupiah(600_000))
    assert banked.wallet() == (OPENED + sen_of(Rupiah(600_000)), 0)
    with banked.bank.books.session() as session:
        assert session.by_token("ksh-client", CONSENT) is not None


def test_asking_night_and_button_at_once_move_each_payment_once(banked: Banked) -> None:
    names = [f"P{number}" for number in range(6)]
    unknown(banked, *names[:3])
    for name in names[3:]:
        banked.desk.plan(payout(name, 1_000))
    pass_(banked, FIRST_MS)
    asking = Asking(banked.desk, banked.clock)
    with ThreadPoolExecutor(4) as pool:
        ways: list[Callable[[], object]] = [asking.look, banked.desk.resume, banked.desk.resume]
        ways += [partial(banked.desk.advance, name) for name in names]
        for one in [pool.submit(way) for way in ways]:
            one.result(30)
    banked.desk.resume()
    assert {banked.desk.find(name).state for name in names} == {State.DONE}
    assert [banked.moved(name) for name in names] == [1] * 6
    assert banked.wallet() == (OPENED - sen_of(Rupiah(6_000)), 0)


def test_a_server_that_stops_waits_for_the_call_that_is_out(banked: Banked) -> None:
    unknown(banked, "P1", "P2")
    out, go, real = threading.Event(), threading.Event(), banked.wire.send

    def slow(call: Call) -> Reply:
        out.set()
        assert go.wait(60)
        return real(call)

    banked.wire.send = slow  # type: ignore[method-assign]
    pass_(banked, FIRST_MS)
    also: list[int] = []
    with Asking(banked.desk, banked.clock, lambda: also.append(1), first_ms=1) as asking:
        assert out.wait(60)
        stopping = asking._closing.set

        def stop() -> None:
            stopping()
            threading.Timer(0.2, go.set).start()  # the bank answers once the server stops, and not before

        asking._closing.set = stop  # type: ignore[method-assign]
    states = [banked.desk.find(name).state for name in ("P1", "P2")]
    assert states == [
        State.DONE,
        State.UNKNOWN,
    ]  # the one that was asked after is known, the next was not begun
    assert not also


def test_what_else_is_on_its_way_is_looked_after_once_in_each_longest_pause(banked: Banked) -> None:
    also: list[int] = []
    asking = Asking(banked.desk, banked.clock, lambda: also.append(banked.clock.at))
    for _ in range(DAY_MS // MOST_MS // 24):
        asking.look()
        asking.look()
        pass_(banked, MOST_MS)
    assert len(also) == DAY_MS // MOST_MS // 24
