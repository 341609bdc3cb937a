"""One's own account: changes want a young sign-in, sessions are seen and ended, and another authenticator takes the old one's place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from settlement.errors import SignInRefused
from settlement.staff.roles import Right
from settlement.staff.sessions import FRESH_MS, IDLE_MS, SEEN_EVERY_MS, Stage
from tests.settlement.test_staff import NEW, Desk, cheap, desk, postgres, postgres_url

if TYPE_CHECKING:
    from settlement.staff.sessions import Session

__all__ = ["cheap", "desk", "postgres", "postgres_url"]
HERE = "10.0.0.1"


def inside(at: Desk, secret: str) -> str:
    """The token of one more sign-in, a code later."""
    at.clock.later(30_000)
    token = at.office.sign_in("maker", NEW, HERE)
    return at.office.second_factor(at.session(token), at.code(secret), HERE)


def grown_old(at: Desk, token: str) -> Session:
    """The session ten minutes later; it was in use meanwhile."""
    at.clock.later(FRESH_MS + 1)
    return at.session(token)


def test_ten_minutes_after_a_sign_in_nothing_is_changed_until_password_and_code_came_again(
    desk: Desk,
) -> None:
    token, secret, _ = desk.first_time()
    assert desk.office.is_fresh(desk.session(token))
    old = grown_old(desk, token)
    assert not desk.office.is_fresh(old)
    for change in (
        lambda: desk.office.new_authenticator(old),
        lambda: desk.office.same_authenticator(old, ""),
        lambda: desk.office.replace_authenticator(old, "", desk.code(secret), HERE),
        lambda: desk.office.end_own_sessions(old, frozenset(), HERE),
    ):
        with pytest.raises(SignInRefused):
            change()
    again = desk.office.again(old, NEW, desk.code(secret), HERE)
    assert desk.office.is_fresh(desk.session(again))
    assert desk.office.session(token) is None, "the one before is over"


def test_signing_in_anew_takes_both_the_password_and_the_code_and_is_counted_like_a_try(desk: Desk) -> None:
    token, secret, _ = desk.first_time()
    old = grown_old(desk, token)
    for password, code in ((NEW, "000000"), ("not the one at all", desk.code(secret)), ("", "")):
        with pytest.raises(SignInRefused):
            desk.office.again(old, password, code, HERE)
    assert desk.actions()[-3:] == ["sign-in refused"] * 3
    for _ in range(3):
        with pytest.raises(SignInRefused):
            desk.office.again(old, "not the one at all", "", HERE)
    with pytest.raises(SignInRefused):  # locked, with the right ones too
        desk.office.again(old, NEW, desk.code(secret), HERE)


def test_a_code_that_signed_somebody_in_does_not_sign_them_in_anew(desk: Desk) -> None:
    _, secret, _ = desk.first_time()
    token = inside(desk, secret)
    with pytest.raises(SignInRefused):
        desk.office.again(desk.session(token), NEW, desk.code(secret), HERE)


def test_people_see_their_own_sessions_and_end_those_that_they_choose(desk: Desk) -> None:
    _, secret, _ = desk.first_time()
    lost, forgotten, token = (inside(desk, secret) for _ in range(3))
    mine = desk.session(token)
    rows = desk.office.own_sessions(mine)
    assert rows[0].digest == mine.digest
    assert len(rows) == 4, "the first one too"
    chosen = frozenset({desk.session(lost).digest, mine.digest, b"of nobody" * 3})
    assert desk.office.end_own_sessions(mine, chosen, HERE) == 1, "never the one that one is in"
    assert desk.office.session(lost) is None
    assert desk.session(forgotten).may(Right.LOOK)
    assert desk.actions()[-1] == "sessions ended"


def test_a_session_that_has_ended_by_itself_is_not_shown(desk: Desk) -> None:
    _, secret, _ = desk.first_time()
    desk.clock.later(IDLE_MS + SEEN_EVERY_MS)
    token = inside(desk, secret)
    assert [row.digest for row in desk.office.own_sessions(desk.session(token))] == [
        desk.session(token).digest
    ]


def test_the_old_authenticator_holds_until_the_new_one_is_proved_and_then_everything_else_ends(
    desk: Desk,
) -> None:
    _, secret, recovery = desk.first_time()
    elsewhere, token = inside(desk, secret), inside(desk, secret)
    new, sealed = desk.office.new_authenticator(desk.session(token))
    with pytest.raises(SignInRefused):
        desk.office.replace_authenticator(desk.session(token), sealed, "000000", HERE)
    token = inside(desk, secret)
    done, codes = desk.office.replace_authenticator(desk.session(token), sealed, desk.code(new.secret), HERE)
    assert desk.session(done).stage is Stage.IN
    assert desk.office.session(elsewhere) is None
    assert desk.actions()[-1] == "authenticator replaced"
    for gone in (desk.code(secret), recovery[0]):
        half = desk.office.sign_in("maker", NEW, HERE)
        with pytest.raises(SignInRefused):
            desk.office.second_factor(desk.session(half), gone, HERE)
    half = desk.office.sign_in("maker", NEW, HERE)
    assert desk.office.second_factor(desk.session(half), codes[0], HERE)


@pytest.mark.parametrize("sealed", ["", "zz", "00" * 40])
def test_a_form_that_was_not_given_to_this_person_enrols_nothing(desk: Desk, sealed: str) -> None:
    token, secret, _ = desk.first_time()
    with pytest.raises(SignInRefused):
        desk.office.replace_authenticator(desk.session(token), sealed, desk.code(secret), HERE)


def test_a_stored_authenticator_is_no_form_of_a_new_one(desk: Desk) -> None:
    token, secret, _ = desk.first_time()
    held = desk.session(token).person.authenticator.hex()
    with pytest.raises(SignInRefused):
        desk.office.replace_authenticator(desk.session(token), held, desk.code(secret), HERE)


def test_a_changed_password_ends_the_other_sessions(desk: Desk) -> None:
    _, secret, _ = desk.first_time()
    elsewhere, token = inside(desk, secret), inside(desk, secret)
    desk.office.change_password(desk.session(token), NEW, "five green umbrellas", HERE)
    assert desk.office.session(elsewhere) is None
