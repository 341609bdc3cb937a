"""What is sealed of holders names the form that it was sealed in: known answers of each, exchange for another, and what was stored before forms had numbers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given
from hypothesis import strategies as st

from keys.filevault import FileVault
from keys.vault import KeyName, Purpose
from ledger.cardholder import records, resealing, sealing
from ledger.cardholder.disputes import Reason
from ledger.cardholder.holders import Person
from ledger.cardholder.holders import Purpose as Agreed
from ledger.cardholder.resealing import seal_anew
from ledger.cardholder.sealing import CIPHER_KEY, MAC_KEY, Form, Sealing, form_of
from ledger.cardholder.tables import disputes, holders
from ledger.errors import DatabaseDamaged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.intake.cards.issued import Card
    from tests.cardholder.town import Town

CIPHER, MAC = bytes(range(16)), bytes(range(16, 32))
UID: Final = 0x04_11_22_33_44_55_66
IV: Final = bytes.fromhex("a0a1a2a3a4a5a6a7a8a9aaabacadaeaf")
PLAIN: Final = b'{"name": "Tutik Wulandari"}'
WULANDARI: Final = Person("Tutik Wulandari", "3374014107900001")
NEXT: Final = (KeyName("cardholder-data", 2), KeyName("cardholder-data-mac", 2))
ROLLED: Final = {**sealing.FORMS, 2: Form(2, *NEXT)}
"""The same algorithms under rolled keys: one more entry, as another algorithm would be."""


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> FileVault:
    made = FileVault.create(tmp_path_factory.mktemp("sealing") / "vault", "x", 16)
    made.add_key(CIPHER_KEY, Purpose.CIPHER, CIPHER)
    made.add_key(MAC_KEY, Purpose.MAC, MAC)
    made.add_key(NEXT[0], Purpose.CIPHER, bytes(range(32, 48)))
    made.add_key(NEXT[1], Purpose.MAC, bytes(range(48, 64)))
    return made


def by_hand(form: bytes, before: bytes) -> bytes:
    """A seal as its page describes it, by the library alone."""
    fill = 16 - len(PLAIN) % 16
    encryptor = Cipher(algorithms.AES128(CIPHER), modes.CBC(IV)).encryptor()
    body = IV + encryptor.update(PLAIN + bytes((fill,)) * fill) + encryptor.finalize()
    mac = CMAC(algorithms.AES128(MAC))
    mac.update(before + b"\x06holder" + UID.to_bytes(7, "big") + body)
    return form + body + mac.finalize()


KNOWN: Final = {
    0: by_hand(b"", b""),
    1: by_hand(b"\x01", b"\x00\x01"),
}
ANSWERS: Final = {
    0: "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb49e9b88c0e2a48000ffeda7bd06f6e99f18ad189d72d776bf827009843958a163031e87d5b269664da49a81a89f8e6b",
    1: "01a0a1a2a3a4a5a6a7a8a9aaabacadaeafb49e9b88c0e2a48000ffeda7bd06f6e99f18ad189d72d776bf827009843958a1a9c169175aa3498ed81cb9a7ef8243e4",
}
"""AES-128-CBC and AES-CMAC over the values above, in hexadecimal, as they were first computed: no release may read them otherwise."""


@pytest.mark.parametrize("form", KNOWN)
def test_a_seal_of_each_form_is_the_known_one_and_is_opened(vault: FileVault, form: int) -> None:
    assert KNOWN[form].hex() == ANSWERS[form]
    assert form_of(KNOWN[form]) == form
    assert Sealing(vault).open("holder", UID, KNOWN[form]) == PLAIN


def test_what_is_sealed_is_the_known_seal_of_the_newest_form(
    vault: FileVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing.secrets, "token_bytes", lambda size: IV[:size])  # type: ignore[attr-defined]
    assert Sealing(vault).seal("holder", UID, PLAIN).hex() == ANSWERS[1]


@given(
    st.binary(max_size=70), st.integers(0, (1 << 56) - 1), st.sampled_from(["holder", "dispute", "saving"])
)
def test_every_form_gives_back_what_was_sealed_and_names_itself(plain: bytes, uid: int, context: str) -> None:
    made = FIXED[0]
    for forms in ({0: Form(0)}, sealing.FORMS, ROLLED):
        sealed = Sealing(made, forms).seal(context, uid, plain)
        assert form_of(sealed) == max(forms)
        assert Sealing(made, ROLLED).open(context, uid, sealed) == plain
        anew = Sealing(made, ROLLED).renewed(context, uid, sealed)
        assert (form_of(anew), Sealing(made, ROLLED).open(context, uid, anew)) == (2, plain)


FIXED: list[FileVault] = []


@pytest.fixture(autouse=True)
def fixed(vault: FileVault) -> Iterator[None]:
    FIXED.append(vault)
    yield
    FIXED.clear()


@pytest.mark.parametrize("form", KNOWN)
def test_no_seal_is_taken_for_one_of_another_form_or_with_any_bit_changed(
    vault: FileVault, form: int
) -> None:
    known, opened = KNOWN[form], Sealing(vault, ROLLED).open
    spoilt = [known[:at] + bytes((known[at] ^ 1 << at % 8,)) + known[at + 1 :] for at in range(len(known))]
    others = [
        known[1:],
        b"\x00" + known,
        b"\x01" + known,
        b"\x02" + known,
        b"\xff" + known[1:],
        b"",
        known[:16],
    ]
    for one in (*spoilt, *others, *(known[:at] for at in range(len(known)))):
        with pytest.raises(DatabaseDamaged):
            opened("holder", UID, one)


def registered(town: Town) -> Card:
    """A registered card with a report, both sealed as before forms had numbers."""
    card = town.card()
    town.rides(card, [3_500])
    known = town.known(card)
    room, old = town.city.cardholders, Sealing(town.city.vault, {0: Form(0)})
    room.holders.register(known, WULANDARI, [Agreed.REGISTRATION])
    room.disputes.open(known, 2, next(iter(Reason)), "the reader took it twice")
    who = json.dumps({"name": WULANDARI.name, "nik": WULANDARI.nik, "phone": ""}).encode()
    put(town, holders, known, sealed=old.seal("holder", known.uid, who))
    put(town, disputes, known, words=old.seal("dispute", known.uid, b"the reader took it twice"))
    return known


def put(town: Town, table: sa.Table, card: Card, **values: Any) -> None:
    with town.city.ledger.database.writing() as connection:
        mine = (table.c.partition == card.partition, table.c.uid == card.uid)
        assert connection.execute(sa.update(table).where(*mine).values(**values)).rowcount == 1


def stored(town: Town, card: Card) -> tuple[bytes, bytes]:
    with town.city.ledger.database.transaction() as connection:
        row = records.holder_of(connection, card.partition, card.uid)
        words = records.disputes_of(connection, card.partition, card.uid)[0].words
    assert row is not None
    return row.sealed, words


def test_what_was_stored_before_forms_had_numbers_is_shown_and_sealed_anew_at_a_closing(town: Town) -> None:
    card = registered(town)
    room = town.city.cardholders
    assert [form_of(one) for one in stored(town, card)] == [0, 0]
    kept = room.holders.kept(card)
    assert kept is not None
    assert kept.person == WULANDARI
    town.city.ledger.close_window(town.city.ledger.open_window())
    assert [form_of(one) for one in stored(town, card)] == [1, 1]
    assert room.holders.kept(card) == kept
    reference = next(one.reference for one in room.disputes.all() if one.uid == card.uid)
    assert room.disputes.words(reference) == "the reader took it twice"
    before = stored(town, card)
    assert seal_anew(town.city.ledger, Sealing(town.city.vault)) == 0
    assert stored(town, card) == before


def test_a_holder_who_is_erased_meanwhile_stays_erased(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    card = registered(town)
    real = resealing.renewed

    def late(*told: Any) -> bytes:
        town.city.cardholders.holders.erase(card)
        return real(*told)

    monkeypatch.setattr(resealing, "renewed", late)
    seal_anew(town.city.ledger, Sealing(town.city.vault))
    assert stored(town, card)[0] == b""


def test_a_seal_that_does_not_open_stays_and_holds_up_no_other(town: Town) -> None:
    damaged, card = registered(town), registered(town)
    sealed = stored(town, damaged)[0]
    spoilt = sealed[:-1] + bytes((sealed[-1] ^ 1,))
    put(town, holders, damaged, sealed=spoilt)
    assert seal_anew(town.city.ledger, Sealing(town.city.vault)) == 3
    assert stored(town, damaged)[0] == spoilt
    assert form_of(stored(town, card)[0]) == 1
    put(town, holders, damaged, sealed=b"")
