"""Authenticators at rest name the form of their seal: known answers of each, and what was sealed before forms had numbers is renewed at a sign-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from settlement.errors import SignInRefused, StaffKeyWrong
from settlement.staff import seal, store
from settlement.staff.seal import FORM, Seal
from tests.settlement.test_staff import NEW, Desk, cheap, desk, postgres, postgres_url

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["cheap", "desk", "postgres", "postgres_url"]
HERE = "10.0.0.1"
KEY: Final = bytes(range(32))
NONCE: Final = bytes.fromhex("a0a1a2a3a4a5a6a7a8a9aaab")
TEXT: Final = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
ANSWERS: Final = {
    "of today": "01a0a1a2a3a4a5a6a7a8a9aaabac5a2f7a1cf846ef272dd798342a988e3aee0a47cb84063cd94676cd4cfb2d51c7db0aec2f60285b914524059d266f18",
    "without a number": "a0a1a2a3a4a5a6a7a8a9aaabac5a2f7a1cf846ef272dd798342a988e3aee0a47cb84063cd94676cd4cfb2d518192055e9f0adde4a15b889895fbdc2f",
}
"""AES-256-GCM over the values above, as first computed: no release may read them otherwise."""


def unnumbered(key: bytes, name: str, text: str, nonce: bytes = NONCE) -> bytes:
    """As it was sealed before forms had numbers."""
    return nonce + AESGCM(key).encrypt(nonce, text.encode(), name.encode())


def test_each_form_is_the_known_one_and_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal.secrets, "token_bytes", lambda size: NONCE[:size])  # type: ignore[attr-defined]
    made = {"of today": Seal(KEY).seal("maker", TEXT), "without a number": unnumbered(KEY, "maker", TEXT)}
    assert {name: one.hex() for name, one in made.items()} == ANSWERS
    by_hand = FORM + NONCE + AESGCM(KEY).encrypt(NONCE, TEXT.encode(), FORM + b"maker")
    assert made["of today"] == by_hand
    assert {Seal(KEY).read("maker", one) for one in made.values()} == {(TEXT, True), (TEXT, False)}


def test_an_old_seal_whose_nonce_begins_like_a_form_is_opened_too() -> None:
    old = unnumbered(KEY, "maker", TEXT, FORM + NONCE[1:])
    assert Seal(KEY).read("maker", old) == (TEXT, False)


@pytest.mark.parametrize("kind", ANSWERS)
def test_no_seal_is_taken_for_another_form_or_person_or_with_any_bit_changed(kind: str) -> None:
    known = bytes.fromhex(ANSWERS[kind])
    spoilt = [known[:at] + bytes((known[at] ^ 1 << at % 8,)) + known[at + 1 :] for at in range(len(known))]
    others = [known[1:], FORM + known, b"\x02" + known, b"\x00" + known, b"", FORM, known[:12]]
    for one in (*spoilt, *others, *(known[:at] for at in range(len(known)))):
        with pytest.raises(StaffKeyWrong):
            Seal(KEY).opened("maker", one)
    for name in ("checker", "", "\x01maker"):
        with pytest.raises(StaffKeyWrong):
            Seal(KEY).opened(name, known)


@pytest.mark.parametrize("by", ["a one-time code", "a recovery code"])
def test_an_authenticator_that_was_sealed_before_opens_and_is_sealed_anew_at_the_sign_in(
    desk: Desk, tmp_path: Path, by: str
) -> None:
    _, secret, recovery = desk.first_time()
    assert desk.office.people()[0].authenticator.startswith(FORM)
    old = unnumbered((tmp_path / "staff.key").read_bytes(), "maker", secret)
    with desk.database.writing() as connection:
        store.change_person(connection, "maker", authenticator=old)
    for wanted, paper in zip((True, False), recovery, strict=False):
        before = desk.office.people()[0].authenticator
        desk.clock.later(30_000)
        session = desk.session(desk.office.sign_in("maker", NEW, HERE))
        code = desk.code(secret) if by == "a one-time code" else paper
        assert desk.office.second_factor(session, code, HERE)
        after = desk.office.people()[0].authenticator
        assert (after != before) is wanted
        assert after.startswith(FORM)
        assert Seal((tmp_path / "staff.key").read_bytes()).opened("maker", after) == secret


def test_a_wrong_code_seals_nothing_anew(desk: Desk, tmp_path: Path) -> None:
    _, secret, _ = desk.first_time()
    old = unnumbered((tmp_path / "staff.key").read_bytes(), "maker", secret)
    with desk.database.writing() as connection:
        store.change_person(connection, "maker", authenticator=old)
    session = desk.session(desk.office.sign_in("maker", NEW, HERE))
    with pytest.raises(SignInRefused):
        desk.office.second_factor(session, "not-a-code", HERE)
    assert desk.office.people()[0].authenticator == old


def test_a_code_of_an_authenticator_that_was_replaced_or_reset_meanwhile_proves_nothing(
    desk: Desk, tmp_path: Path
) -> None:
    """The page had read who it is before the other session wrote."""
    _, secret, recovery = desk.first_time()
    desk.clock.later(30_000)
    session = desk.session(desk.office.sign_in("maker", NEW, HERE))
    replaced = {"authenticator": Seal((tmp_path / "staff.key").read_bytes()).seal("maker", TEXT)}
    for values in (replaced, {"authenticator": b"", "enrolled": 0}):
        with desk.database.writing() as connection:
            store.change_person(connection, "maker", **values)
        with pytest.raises(SignInRefused):
            desk.office.second_factor(session, desk.code(secret), HERE)
    with pytest.raises(SignInRefused):
        desk.office.second_factor(session, recovery[0], HERE)
