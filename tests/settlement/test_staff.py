"""Who gets in, who does not, and that it is all written down where nobody can change it."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import pyotp
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from keys.clock import UnixMs, moment
from ledger.store import Database
from settlement.errors import (
    PasswordWeak,
    SignInRefused,
    StaffKeyWrong,
    StaffLogBroken,
    StaffRefused,
)
from settlement.staff import breached, lockout, passwords, sessions, store
from settlement.staff.lockout import Subject
from settlement.staff.log import Entry, Said, next_entry, verified
from settlement.staff.office import StaffOffice
from settlement.staff.roles import Right, Role, read_roles, rights_of
from settlement.staff.seal import seal_of
from settlement.staff.sessions import Stage
from settlement.staff.tables import metadata
from tests.ledger.conftest import postgres, postgres_url

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["postgres", "postgres_url"]
FIRST, NEW = "first pass of a test", "three blue umbrellas"
DESK = Said("shell:test", "shell", "")
PROOF = "identity card shown at the desk, known to S. Wulandari"
MAKER = frozenset({Role.MAKER})


@pytest.fixture(autouse=True)
def cheap(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same Argon2id at a small cost, where time is not what is tested."""
    if not any(told in request.node.name for told in ("as_long", "at_the_cost")):
        monkeypatch.setattr(passwords, "HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = moment(datetime(2026, 11, 18, 9, 0))  # noqa: DTZ001  the city's own time

    def now(self) -> UnixMs:
        return self.at

    def later(self, milliseconds: int) -> None:
        self.at = UnixMs(self.at + milliseconds)


class Desk:
    """An office over a real database, and somebody who signs in."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.clock = database, Hands()
        self.office = StaffOffice(database, seal_of(folder / "staff.key"), self.clock)

    def first_time(self, name: str = "maker") -> tuple[str, str, tuple[str, ...]]:
        """Change the password, enrol: the session's token, the authenticator's secret, the recovery codes."""
        token = self.office.sign_in(name, FIRST, "10.0.0.1")
        token = self.office.change_password(self.session(token), FIRST, NEW, "10.0.0.1")
        secret = self.office.enrolment(self.session(token)).secret
        token, recovery = self.office.enrol(self.session(token), self.code(secret), "10.0.0.1")
        return token, secret, recovery

    def code(self, secret: str) -> str:
        return pyotp.TOTP(secret).at(self.clock.at // 1000)

    def session(self, token: str) -> sessions.Session:
        found = self.office.session(token)
        assert found is not None
        return found

    def actions(self) -> list[str]:
        with self.database.transaction() as connection:
            return [entry.said.action for entry in store.entries(connection)]


@pytest.fixture(params=["sqlite", "postgresql"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'staff.db'}")
        database.create(metadata)
    else:
        database = Database(request.getfixturevalue("postgres_url"))
        with database.transaction() as connection:
            metadata.create_all(connection)
    made = Desk(database, tmp_path)
    made.office.add("maker", MAKER, FIRST, DESK)
    return made


def test_the_first_sign_in_changes_the_password_and_enrols_an_authenticator(desk: Desk) -> None:
    token, secret, recovery = desk.first_time()
    assert desk.session(token).may(Right.WORK)
    assert len(set(recovery)) == 10
    desk.clock.later(60_000)
    with pytest.raises(SignInRefused):
        desk.office.sign_in("maker", FIRST, "10.0.0.1")
    again = desk.office.sign_in("maker", NEW, "10.0.0.1")
    assert desk.session(again).stage is Stage.CODE
    assert not desk.session(again).may(Right.LOOK)
    inside = desk.office.second_factor(desk.session(again), desk.code(secret), "10.0.0.1")
    assert desk.session(inside).may(Right.WORK)


def test_every_step_has_a_session_of_its_own_and_the_one_before_is_worth_nothing(desk: Desk) -> None:
    door = desk.office.sign_in("maker", FIRST, "10.0.0.1")
    changed = desk.office.change_password(desk.session(door), FIRST, NEW, "10.0.0.1")
    secret = desk.office.enrolment(desk.session(changed)).secret
    inside, _ = desk.office.enrol(desk.session(changed), desk.code(secret), "10.0.0.1")
    assert len({door, changed, inside}) == 3
    assert [desk.office.session(token) is None for token in (door, changed, inside)] == [True, True, False]


def test_who_came_in_with_the_password_before_an_authenticator_was_enrolled_learns_nothing_of_it(
    desk: Desk,
) -> None:
    door = desk.office.sign_in("maker", FIRST, "10.0.0.1")
    mine = desk.office.change_password(desk.session(door), FIRST, NEW, "10.0.0.1")
    theirs = desk.office.sign_in("maker", NEW, "10.0.0.9")
    other = desk.session(theirs)
    assert other.stage is Stage.ENROL
    secret = desk.office.enrolment(desk.session(mine)).secret
    desk.office.enrol(desk.session(mine), desk.code(secret), "10.0.0.1")
    assert desk.office.session(theirs) is None
    with desk.database.transaction() as connection:
        person = store.person_of(connection, "maker")
    assert person is not None
    late = replace(other, person=person)  # looked up a moment before its session ended
    with pytest.raises(SignInRefused, match="enrolled already"):
        desk.office.enrolment(late)
    desk.clock.later(60_000)
    with pytest.raises(SignInRefused, match="enrolled already"):
        desk.office.enrol(late, desk.code(secret), "10.0.0.9")


def test_a_sign_in_that_was_under_way_opens_nothing_once_the_account_is_disabled(desk: Desk) -> None:
    desk.first_time()
    desk.office.disable("maker", DESK)
    with desk.database.writing() as connection:
        token = sessions.begin(connection, "maker", Stage.IN, desk.clock.now())
    assert desk.office.session(token) is None


def test_a_code_counts_once_and_so_does_a_recovery_code(desk: Desk) -> None:
    _, secret, recovery = desk.first_time()
    desk.clock.later(60_000)
    for typed in (desk.code(secret), recovery[3].lower().replace("-", " ")):
        session = desk.session(desk.office.sign_in("maker", NEW, "10.0.0.1"))
        desk.office.second_factor(session, typed, "10.0.0.1")
        session = desk.session(desk.office.sign_in("maker", NEW, "10.0.0.1"))
        with pytest.raises(SignInRefused):
            desk.office.second_factor(session, typed, "10.0.0.1")


def test_a_session_ends_when_it_is_not_used_and_when_it_is_old(desk: Desk) -> None:
    token, secret, _ = desk.first_time()
    for _ in range(9):
        desk.clock.later(sessions.IDLE_MS - 1)
        assert desk.office.session(token) is not None
    desk.clock.later(sessions.IDLE_MS + sessions.SEEN_EVERY_MS)
    assert desk.office.session(token) is None
    session = desk.session(desk.office.sign_in("maker", NEW, "10.0.0.1"))
    token = desk.office.second_factor(session, desk.code(secret), "10.0.0.1")
    for _ in range(29):
        desk.clock.later(20 * 60_000 - 1)
        assert desk.office.session(token) is not None
    desk.clock.later(19 * 60_000)
    assert desk.office.session(token) is not None
    desk.clock.later(2 * 60_000)  # used all the time, and ten hours old
    assert desk.office.session(token) is None


@pytest.mark.parametrize("what", ["disable", "reset", "roles"])
def test_who_is_disabled_reset_or_given_other_roles_is_out_at_once(desk: Desk, what: str) -> None:
    token, _, _ = desk.first_time()
    if what == "disable":
        desk.office.disable("maker", DESK)
    elif what == "reset":
        desk.office.reset("maker", "another first pass", PROOF, DESK)
    else:
        desk.office.change_roles("maker", frozenset({Role.AUDITOR}), DESK)
    assert desk.office.session(token) is None
    if what == "disable":
        with pytest.raises(SignInRefused):
            desk.office.sign_in("maker", NEW, "10.0.0.1")


@pytest.mark.parametrize("proof", ["", "   \n ", "known", "x" * 201, "passport\x00 shown"])
def test_a_lost_factor_is_replaced_for_who_proved_who_they_are_and_it_is_written_down(
    desk: Desk, proof: str
) -> None:
    token, _, _ = desk.first_time()
    with pytest.raises(StaffRefused, match="how they proved who they are"):
        desk.office.reset("maker", "another first pass", proof, DESK)
    assert desk.office.session(token) is not None, "nothing changed"
    with pytest.raises(StaffRefused, match="nobody proves to themselves"):
        desk.office.reset("maker", "another first pass", PROOF, Said("maker", "10.0.0.1", ""))
    desk.office.reset("maker", "another first pass", PROOF, DESK)
    assert desk.office.session(token) is None
    with desk.database.transaction() as connection:
        (entry,) = (one.said for one in store.entries(connection) if one.said.action == "account reset")
    assert (entry.subject, entry.detail) == ("maker", PROOF)


def fail(desk: Desk, name: str, times: int, address: str = "10.0.0.9") -> None:
    for _ in range(times):
        with pytest.raises(SignInRefused):
            desk.office.sign_in(name, "no such pass at all", address)


def test_an_account_is_locked_after_a_few_tries_and_opens_again_by_itself(desk: Desk) -> None:
    fail(desk, "maker", 5)
    with pytest.raises(SignInRefused):
        desk.office.sign_in("maker", FIRST, "10.0.0.1")
    desk.clock.later(lockout.WAIT_MS + 1)
    assert desk.office.sign_in("maker", FIRST, "10.0.0.1")
    assert desk.actions().count("sign-in refused") == 6


def test_an_address_that_tries_many_names_is_locked_for_all_of_them(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(lockout.FREE, "address", 6)
    for number in range(6):
        fail(desk, f"nobody{number}", 1)
    with pytest.raises(SignInRefused):
        desk.office.sign_in("maker", FIRST, "10.0.0.9")
    assert desk.office.sign_in("maker", FIRST, "10.0.0.1")


@given(st.sampled_from(Subject), st.integers(0, 200), st.integers(0, 1 << 42))
def test_waits_grow_from_nothing_to_a_bound(subject: Subject, failures: int, at: int) -> None:
    wait = lockout.until(subject, failures, UnixMs(at)) - at
    longer = lockout.until(subject, failures + 1, UnixMs(at)) - at
    assert 0 <= wait <= longer <= lockout.WAIT_MS_MAX
    assert (wait == 0) == (failures < lockout.FREE[subject])


def test_an_unknown_name_takes_as_long_as_a_wrong_password() -> None:
    passwords._nobodys.clear()
    stored = passwords.digest(FIRST)
    passwords.fits("", "x")  # nobody's hash is made once

    def took(one: str) -> float:
        began = time.process_time()
        assert not passwords.fits(one, "no such pass at all")
        return time.process_time() - began

    known, unknown = map(
        min, zip(*((took(stored), took("")) for _ in range(4)), strict=True)
    )  # in turn: a machine's pace changes
    assert 0.5 < known / unknown < 2


def test_the_log_says_who_did_what_and_the_database_keeps_it(desk: Desk) -> None:
    desk.first_time()
    desk.office.disable("maker", DESK)
    assert desk.actions() == [
        "account added", "password accepted", "password changed", "signed in", "account disabled",
    ]  # fmt: skip
    count, head = desk.office.verify_log()
    assert (count, len(head)) == (5, 32)
    for statement in ("UPDATE staff_audit SET who = 'me'", "DELETE FROM staff_audit"):
        with pytest.raises(sa.exc.DBAPIError, match="never changed"), desk.database.engine.begin() as raw:
            raw.exec_driver_sql(statement)
    assert desk.office.verify_log() == (count, head)


@given(st.lists(st.text(max_size=5), min_size=1, max_size=6), st.data())
def test_any_changed_lost_or_moved_entry_breaks_the_chain(texts: list[str], data: st.DataObject) -> None:
    chain: list[Entry] = []
    for number, text in enumerate(texts):
        chain.append(next_entry(chain[-1] if chain else None, UnixMs(number), Said("a", "b", "c", "d", text)))
    assert verified(chain)[0] == len(chain)
    at = data.draw(st.integers(0, len(chain) - 1))
    entry = chain[at]
    other = Entry(
        entry.number, entry.at, Said("z", "b", "c", "d", entry.said.detail), entry.previous, entry.digest
    )
    with pytest.raises(StaffLogBroken):
        verified([*chain[:at], other, *chain[at + 1 :]])
    if at < len(chain) - 1:
        with pytest.raises(StaffLogBroken):
            verified([*chain[:at], *chain[at + 1 :]])


def test_the_database_alone_opens_no_authenticator(desk: Desk, tmp_path: Path) -> None:
    _, secret, _ = desk.first_time()
    person = desk.office.people()[0]
    assert secret.encode() not in person.authenticator
    elsewhere = seal_of(tmp_path / "other.secret")
    with pytest.raises(StaffKeyWrong):
        elsewhere.opened("maker", person.authenticator)


@pytest.mark.parametrize(
    "weak",
    [
        "short",
        "a" * 20,
        "maker is my name 1",
        "password1234",
        "x" * 200,
        "Chickenwing101",
        "1qaz2wsx3edc4rfv",
        "Qwerty123456789",
        "ilovemyfamily",
        "polniypizdec0211",
    ],
)
def test_a_weak_password_is_refused(weak: str) -> None:
    with pytest.raises(PasswordWeak):
        passwords.checked("maker", weak)


def test_of_the_passwords_of_published_breaches_far_more_than_three_thousand_are_known_and_no_other_is_taken_for_one() -> (
    None
):
    assert breached.count() == 43_152
    assert breached.is_breached("1qaz2wsx3edc")
    drawn = (f"words of a test {number}" for number in range(20_000))
    assert not any(breached.is_breached(one) for one in drawn)


@pytest.mark.parametrize("roles", ["", "king", "maker,auditor", "administrator,checker", "maker;checker"])
def test_roles_that_cannot_stand_together_are_refused(roles: str) -> None:
    with pytest.raises(StaffRefused):
        read_roles(roles)


def test_an_administrator_may_do_nothing_but_accounts_and_an_auditor_changes_nothing() -> None:
    assert rights_of(read_roles("administrator")) == {Right.ACCOUNTS}
    assert rights_of(read_roles("auditor")) == {Right.LOOK, Right.AUDIT}
    assert Right.APPROVE not in rights_of(read_roles("maker"))
    assert Right.WORK not in rights_of(read_roles("checker"))


@pytest.mark.parametrize("name", ["", "Ra", "ra ra", "-maker", "maker\n", "x" * 41, "maker/..", "maker"])
def test_a_name_that_is_none_or_taken_is_refused(desk: Desk, name: str) -> None:
    with pytest.raises(StaffRefused):
        desk.office.add(name, MAKER, FIRST, DESK)
