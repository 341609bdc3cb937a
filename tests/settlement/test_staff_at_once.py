"""What happens at the door at the same moment: a code shown twice, tries in a bunch, an account that changes while its form is on the way."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from settlement.errors import SignInRefused
from settlement.staff import codes, lockout, passwords, store
from settlement.staff.sessions import Stage
from tests.settlement.test_staff import (
    DESK,
    FIRST,
    MAKER,
    NEW,
    PROOF,
    Desk,
    cheap,
    desk,
    postgres,
    postgres_url,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from settlement.staff.sessions import Session

__all__ = ["cheap", "desk", "postgres", "postgres_url"]
HERE = "10.0.0.1"
OTHER = "four green kettles"
MEET_SECONDS = 2.0


def refused(act: Callable[[], object]) -> bool:
    """Whether the door says no."""
    try:
        act()
    except SignInRefused:
        return True
    return False


def meeting(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have those who look at a code wait there for one another, as far as they can be there together."""
    barrier, looked = threading.Barrier(count), codes.step_of

    def together(*told: Any) -> int | None:
        with suppress(threading.BrokenBarrierError):
            barrier.wait(MEET_SECONDS)
        return looked(*told)

    monkeypatch.setattr(codes, "step_of", together)


def half_in(at: Desk) -> Session:
    """Somebody who knows the password, before the code."""
    return at.session(at.office.sign_in("maker", NEW, HERE))


def said(at: Desk, detail: str) -> int:
    """How often the log has a refusal of this kind."""
    with at.database.transaction() as connection:
        told = [entry.said for entry in store.entries(connection)]
    return sum((one.action, one.detail) == ("sign-in refused", detail) for one in told)


def test_a_code_that_two_show_at_the_same_moment_opens_once(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, secret, _ = desk.first_time()
    desk.clock.later(60_000)
    code, two = desk.code(secret), [half_in(desk), half_in(desk)]
    meeting(2, monkeypatch)
    with ThreadPoolExecutor(2) as threads:
        acts = [threads.submit(refused, partial(desk.office.second_factor, one, code, HERE)) for one in two]
        assert sorted(act.result() for act in acts) == [False, True]


def test_codes_that_are_tried_in_a_bunch_are_as_few_as_one_after_another(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, secret, _ = desk.first_time()
    desk.clock.later(60_000)
    half, tries = half_in(desk), 12
    wrong = f"{(int(desk.code(secret)) + 1) % 10**6:06}"
    meeting(tries, monkeypatch)
    with ThreadPoolExecutor(tries) as threads:
        acts = [
            threads.submit(refused, lambda: desk.office.second_factor(half, wrong, HERE))
            for _ in range(tries)
        ]
        assert all(act.result() for act in acts)
    free = lockout.FREE["account"]
    assert (said(desk, "code"), said(desk, "locked")) == (free, tries - free)


def test_a_form_that_was_on_its_way_while_the_account_was_reset_changes_nothing(desk: Desk) -> None:
    token, secret, _ = desk.first_time()
    late = desk.session(token)
    _, sealed = desk.office.new_authenticator(late)
    desk.office.reset("maker", FIRST, PROOF, DESK)
    desk.clock.later(60_000)
    code = desk.code(secret)
    for act in (
        lambda: desk.office.change_password(late, NEW, OTHER, HERE),
        lambda: desk.office.replace_authenticator(late, sealed, code, HERE),
        lambda: desk.office.again(late, NEW, code, HERE),
    ):
        assert refused(act)
    assert desk.session(desk.office.sign_in("maker", FIRST, HERE)).stage is Stage.CHANGE


def test_a_session_that_was_ended_elsewhere_is_not_followed_by_another(desk: Desk) -> None:
    first, secret, _ = desk.first_time()
    desk.clock.later(60_000)
    late = desk.session(desk.office.second_factor(half_in(desk), desk.code(secret), HERE))
    desk.clock.later(60_000)
    half = half_in(desk)
    own = desk.session(desk.office.second_factor(half, desk.code(secret), HERE))
    desk.office.end_own_sessions(own, frozenset({late.digest}), HERE)
    desk.clock.later(60_000)
    assert refused(lambda: desk.office.again(late, NEW, desk.code(secret), HERE))
    assert refused(lambda: desk.office.change_password(late, NEW, OTHER, HERE))
    assert refused(lambda: desk.office.second_factor(half, desk.code(secret), HERE)), "a step is gone once"
    left = {row.digest for row in desk.office.own_sessions(own)}
    assert left == {own.digest, desk.session(first).digest}


def test_once_an_authenticator_is_enrolled_nobody_else_on_the_way_there_is_shown_it(desk: Desk) -> None:
    token = desk.office.sign_in("maker", FIRST, HERE)
    mine = desk.session(desk.office.change_password(desk.session(token), FIRST, NEW, HERE))
    theirs = desk.session(desk.office.sign_in("maker", NEW, "10.0.0.9"))
    secret = desk.office.enrolment(mine).secret
    desk.office.enrol(desk.session(desk.office.sign_in("maker", NEW, HERE)), desk.code(secret), HERE)
    assert refused(lambda: desk.office.enrolment(theirs))
    assert refused(lambda: desk.office.enrol(theirs, desk.code(secret), "10.0.0.9"))
    with desk.database.transaction() as connection:
        stages = [row.stage for row in store.sessions_of(connection, "maker")]
    assert stages == [Stage.IN]


@pytest.mark.parametrize("what", ["reset", "disabled"])
def test_a_password_that_is_taken_away_while_it_is_looked_at_opens_nothing(
    desk: Desk, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.first_time()
    looked = passwords.fits

    def meanwhile(stored: str, password: str) -> bool:
        monkeypatch.setattr(passwords, "fits", looked)
        fit = looked(stored, password)
        if what == "reset":
            desk.office.reset("maker", FIRST, PROOF, DESK)
        else:
            desk.office.disable("maker", DESK)
        return fit

    monkeypatch.setattr(passwords, "fits", meanwhile)
    assert refused(lambda: desk.office.sign_in("maker", NEW, HERE))
    with desk.database.transaction() as connection:
        assert not store.sessions_of(connection, "maker")


def test_a_network_of_ipv6_is_one_address_for_all_that_it_has(desk: Desk) -> None:
    for host in range(lockout.FREE["address"]):
        assert refused(partial(desk.office.sign_in, f"name{host}", "nobody has this", f"2001:db8::{host:x}"))
    assert refused(lambda: desk.office.sign_in("maker", FIRST, "2001:db8::ffff:1"))
    assert desk.office.sign_in("maker", FIRST, "2001:db8:0:1::1"), "a neighbour is another"


def test_failures_of_several_people_behind_one_address_are_all_counted(desk: Desk) -> None:
    names = [f"clerk{number}" for number in range(8)]
    for name in names:
        desk.office.add(name, MAKER, FIRST, DESK)
    with ThreadPoolExecutor(len(names)) as threads:
        acts = [
            threads.submit(refused, partial(desk.office.sign_in, name, "not the one", HERE)) for name in names
        ]
        assert all(act.result() for act in acts)
    with desk.database.transaction() as connection:
        assert store.tries_of(connection, lockout.Subject.ADDRESS, HERE)[0] == len(names)


def test_the_true_code_does_not_help_while_an_account_is_locked_and_is_not_counted(desk: Desk) -> None:
    _, secret, _ = desk.first_time()
    desk.clock.later(60_000)
    half, free = half_in(desk), lockout.FREE["account"]
    for _ in range(free):
        assert refused(lambda: desk.office.second_factor(half, "none", HERE))
    assert refused(lambda: desk.office.second_factor(half, desk.code(secret), HERE))
    with desk.database.transaction() as connection:
        assert store.tries_of(connection, lockout.Subject.ACCOUNT, "maker")[0] == free
    desk.clock.later(lockout.WAIT_MS + 1)
    assert desk.office.second_factor(half, desk.code(secret), HERE)
    with desk.database.transaction() as connection:
        assert store.tries_of(connection, lockout.Subject.ACCOUNT, "maker")[0] == 0


def test_an_ended_session_puts_no_authenticator_in_place_and_ends_no_other(desk: Desk) -> None:
    first, secret, _ = desk.first_time()
    desk.clock.later(60_000)
    late = desk.session(desk.office.second_factor(half_in(desk), desk.code(secret), HERE))
    new, sealed = desk.office.new_authenticator(late)
    own = desk.session(first)
    desk.office.end_own_sessions(own, frozenset({late.digest}), HERE)
    assert refused(lambda: desk.office.replace_authenticator(late, sealed, desk.code(new.secret), HERE))
    assert refused(lambda: desk.office.end_own_sessions(late, frozenset({own.digest}), HERE))
    assert desk.office.session(first) is not None
