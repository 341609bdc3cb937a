"""Passwords as OWASP ASVS 5.0 has them: any signs, as typed, up to 128 of them, for as long as nobody changes them; and what is stored of them."""

from __future__ import annotations

import string
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.low_level import Type

from settlement.errors import PasswordWeak, SignInRefused
from settlement.staff import passwords, store
from settlement.staff.sessions import Stage
from tests.settlement.test_staff import FIRST, NEW, Desk, cheap, desk, postgres, postgres_url

__all__ = ["cheap", "desk", "postgres", "postgres_url"]
HERE = "10.0.0.1"
YEARS_30_MS = 30 * 366 * 86_400_000
ONE_KIND = {
    "small letters": "gunungtidaritu",
    "capitals": "GUNUNGTIDARITU",
    "digits": "730195826440",
    "signs": "!?!?%&/()=+-_:",
    "spaces, but for five letters": "  a  b  c  d  e  ",
    "another script": "ꦱꦼꦩꦫꦁꦏꦸꦛꦥꦿꦗꦮꦲꦤ",
    "pictures": "🚌🚏🚋🚉🎫🚌🚏🚋🚉🎫🚌🚏",
}
TYPED = {
    "spaces at both ends": f"  {NEW}  ",
    "capitals": NEW.title(),
    "an accent in one character": "caf\u00e9 tiga umbrella",
    "an accent of its own": "cafe\u0301 tiga umbrella",
    "a tab and a full stop": f"{NEW}\t.",
    "what a database quotes": "'; DROP TABLE staff --",
}


def stored(at: Desk) -> str:
    return at.office.people()[0].password


def changed(at: Desk, new: str) -> None:
    """The first sign-in, with this password for later."""
    token = at.office.sign_in("maker", FIRST, HERE)
    at.office.change_password(at.session(token), FIRST, new, HERE)


@pytest.mark.parametrize("kind", ONE_KIND)
def test_a_password_may_be_of_one_kind_of_signs(kind: str) -> None:
    assert passwords.checked("maker", ONE_KIND[kind]) == ONE_KIND[kind]


@pytest.mark.parametrize("kind", TYPED)
def test_a_password_opens_as_it_was_typed_and_in_no_other_spelling(desk: Desk, kind: str) -> None:
    typed = TYPED[kind]
    changed(desk, typed)
    others = {typed.strip(), typed.casefold(), typed.swapcase(), typed + " ", NEW, *TYPED.values()} - {typed}
    for other in others:
        desk.clock.later(900_000)  # what was tried before locks nobody out
        with pytest.raises(SignInRefused):
            desk.office.sign_in("maker", other, HERE)
    desk.clock.later(900_000)
    assert desk.session(desk.office.sign_in("maker", typed, HERE)).stage is Stage.ENROL


def test_each_of_128_signs_counts_and_one_more_is_refused(desk: Desk) -> None:
    long = (string.ascii_letters * 3)[:128]
    assert passwords.LENGTH_MAX == len(long) == 128
    changed(desk, long)
    for other in (long[:-1], long[:-1] + "!", long[:64], long + "!"):
        desk.clock.later(900_000)
        with pytest.raises(SignInRefused):
            desk.office.sign_in("maker", other, HERE)
    desk.clock.later(900_000)
    assert desk.office.sign_in("maker", long, HERE)
    with pytest.raises(PasswordWeak):
        passwords.checked("maker", long + "!")


def test_no_password_grows_old(desk: Desk) -> None:
    changed(desk, NEW)
    before = stored(desk)
    desk.clock.later(YEARS_30_MS)
    session = desk.session(desk.office.sign_in("maker", NEW, HERE))
    assert (session.stage, session.person.must_change, stored(desk)) == (Stage.ENROL, 0, before)


def test_a_password_is_stored_as_argon2id_at_the_cost_that_rfc_9106_names() -> None:
    kept = passwords.digest(NEW)
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    found = extract_parameters(kept)
    assert (found.type, found.salt_len, found.hash_len) == (Type.ID, 16, 32)
    salts = {passwords.digest(NEW).split("$")[4] for _ in range(2)} | {kept.split("$")[4]}
    assert len(salts) == 3


@pytest.mark.parametrize("memory_cost", [32, 128])
def test_a_password_of_another_cost_is_stored_anew_when_it_lets_somebody_in(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, memory_cost: int
) -> None:
    before = stored(desk)
    today = PasswordHasher(time_cost=2, memory_cost=memory_cost, parallelism=1)
    monkeypatch.setattr(passwords, "HASHER", today)
    with pytest.raises(SignInRefused):
        desk.office.sign_in("maker", NEW, HERE)
    assert stored(desk) == before, "a wrong password renews nothing"
    desk.office.sign_in("maker", FIRST, HERE)
    after = stored(desk)
    assert not today.check_needs_rehash(after)
    assert today.check_needs_rehash(before)
    desk.office.sign_in("maker", FIRST, HERE)
    assert stored(desk) == after, "one of today's cost stays as it is"


def test_a_password_that_was_changed_meanwhile_is_not_put_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = passwords.digest(NEW)
    monkeypatch.setattr(passwords, "HASHER", PasswordHasher(time_cost=2, memory_cost=64, parallelism=1))
    renewed = passwords.renewed

    def late(known: str, password: str) -> str:
        with desk.database.writing() as connection:
            store.change_person(connection, "maker", password=hashed)
        return renewed(known, password)

    monkeypatch.setattr(passwords, "renewed", late)
    with pytest.raises(SignInRefused):
        desk.office.sign_in("maker", FIRST, HERE)
    assert stored(desk) == hashed


def test_several_who_sign_in_at_once_all_get_in_and_one_digest_stays(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "HASHER", PasswordHasher(time_cost=2, memory_cost=64, parallelism=1))
    with ThreadPoolExecutor(4) as pool:
        tokens = set(pool.map(lambda _: desk.office.sign_in("maker", FIRST, HERE), range(4)))
    assert len(tokens) == 4
    assert passwords.fits(stored(desk), FIRST)
    assert stored(desk) == passwords.renewed(stored(desk), FIRST)
