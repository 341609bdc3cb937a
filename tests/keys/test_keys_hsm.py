"""What is particular to a PKCS#11 token: nothing that it holds can be read, not even by the program that uses it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pkcs11
import pytest
from pkcs11 import Attribute, KeyType, Mechanism, MechanismFlag
from pkcs11.exceptions import PKCS11Error

from keys.diversify import card_input, diversify_aes128
from keys.errors import KeyMisused, TokenError, VaultLocked, VaultRolledBack, VaultSwapped
from keys.filevault import FileVault
from keys.hsmvault import HsmVault
from keys.pkcs11token import STATE, TokenSigner
from keys.softkey import SoftKey
from keys.vault import KeyName, Purpose, Role
from tests.keys.tokens import PIN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keys.vault import Recorded, VaultRecord
    from tests.keys.tokens import SoftTokens

MASTER = bytes.fromhex("00112233445566778899aabbccddeeff")
UID = bytes.fromhex("04a1b2c3d4e5f6")
TRANSPORT = KeyName("transport", 1)


@pytest.fixture
def token(tokens: SoftTokens) -> str:
    return tokens.new()


@pytest.fixture
def hsm(tokens: SoftTokens, token: str) -> Iterator[HsmVault]:
    with HsmVault.create(tokens.module, token, PIN, "Semarang") as made:
        made.add_master(Role.DEBIT, 1, MASTER)
        made.generate_key(KeyName("load", 1), Purpose.CARD)
        made.add_key(TRANSPORT, Purpose.TRANSPORT, bytes(16))
        made.generate_signing_key("ledger")
        yield made


def test_law_11_no_key_of_a_token_can_be_read_or_leave_it(hsm: HsmVault) -> None:
    hsm.card_key(Role.DEBIT, 1, UID).cmac(b"a card key is derived")
    held = [
        one
        for one in hsm._session.get_objects()
        if one.object_class in {pkcs11.ObjectClass.SECRET_KEY, pkcs11.ObjectClass.PRIVATE_KEY}
    ]
    assert len(held) == 5  # debit, load, transport, ledger, and the derived card key
    for one in held:
        assert (one[Attribute.SENSITIVE], one[Attribute.EXTRACTABLE]) == (True, False)
        with pytest.raises(pkcs11.exceptions.AttributeSensitive):
            one[Attribute.VALUE]
        transport = hsm._object(TRANSPORT)
        with pytest.raises(PKCS11Error):
            transport.wrap_key(one, mechanism=Mechanism.AES_KEY_WRAP)


def test_a_master_makes_no_mac_although_a_mac_would_be_a_card_key(hsm: HsmVault) -> None:
    master = hsm._object(KeyName("debit", 1))
    forbidden = (Attribute.SIGN, Attribute.DECRYPT, Attribute.WRAP, Attribute.UNWRAP)
    assert [master[one] for one in forbidden] == [False] * 4
    assert [hasattr(master, one) for one in ("sign", "decrypt", "wrap_key", "unwrap_key")] == [False] * 4
    assert hsm.card_key(Role.DEBIT, 1, UID).cmac(b"") == SoftKey(
        diversify_aes128(MASTER, card_input(UID, Role.DEBIT.key_no, 1)), 1
    ).cmac(b"")


def test_a_key_that_was_made_before_a_transport_key_can_never_leave(hsm: HsmVault) -> None:
    with pytest.raises(KeyMisused, match="cannot leave it: it was not made while transport version 1"):
        hsm.wrap(KeyName("debit", 1), TRANSPORT)


def test_a_key_that_is_made_under_a_transport_key_is_wrapped_once_and_closed_up(
    hsm: HsmVault, tmp_path: Path
) -> None:
    made = (KeyName("read", 1), KeyName("debit", 2), KeyName("picc", 1))
    hsm.generate_key(made[0], Purpose.CARD)
    hsm.add_key(made[1], Purpose.CARD, MASTER)
    other = FileVault.create(tmp_path / "v", "x", 16)
    other.add_key(TRANSPORT, Purpose.TRANSPORT, bytes(16))
    other.generate_key(made[2], Purpose.CARD)
    hsm.unwrap(made[2], Purpose.CARD, other.wrap(made[2], TRANSPORT), TRANSPORT)
    checks = {(one.label, one.version): one.check_value for one in hsm.contents()}
    for name in made:
        key = hsm._object(name)
        assert (key[Attribute.SENSITIVE], key[Attribute.EXTRACTABLE]) == (True, False)
        with pytest.raises(pkcs11.exceptions.AttributeReadOnly):
            key[Attribute.EXTRACTABLE] = True
        with pytest.raises(pkcs11.exceptions.KeyUnextractable):
            hsm._object(TRANSPORT).wrap_key(key, mechanism=Mechanism.AES_KEY_WRAP)
        copy = FileVault.create(tmp_path / name.label, "x", 16)
        copy.add_key(TRANSPORT, Purpose.TRANSPORT, bytes(16))
        assert (
            copy.unwrap(name, Purpose.CARD, hsm.wrap(name, TRANSPORT), TRANSPORT).check_value == checks[name]
        )
    with pytest.raises(KeyMisused, match="cannot leave it"):
        hsm.wrap(TRANSPORT, TRANSPORT)


def test_a_key_that_a_crash_left_half_born_is_destroyed_at_the_next_change(
    hsm: HsmVault, tokens: SoftTokens, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> None:
        raise OSError("the power went")

    with monkeypatch.context() as patched:
        patched.setattr(HsmVault, "_close_up", crash)
        with pytest.raises(OSError, match="power"):
            hsm.generate_key(KeyName("read", 1), Purpose.CARD)
    hsm.close()
    with HsmVault.open(tokens.module, token, PIN) as again:
        again.generate_key(KeyName("picc", 1), Purpose.CARD)
        left = [one[Attribute.EXTRACTABLE] for one in again._session.get_objects({Attribute.LABEL: "read/1"})]
        assert left == []


def test_a_tokens_next_state_is_told_before_the_one_that_holds_goes(
    hsm: HsmVault, tokens: SoftTokens, token: str
) -> None:
    told: list[tuple[int, int]] = []

    class Told:
        def known(self) -> dict[str, VaultRecord]:
            return {}

        def note(self, vault: Recorded) -> None:
            states = list(hsm._session.get_objects({Attribute.LABEL: STATE}))
            told.append((vault.record().generation, len(states)))

    hsm._witness = Told()
    before = hsm.generation
    hsm.generate_key(KeyName("read", 1), Purpose.CARD)
    assert told == [(before + 1, 2)]
    assert len(list(hsm._session.get_objects({Attribute.LABEL: STATE}))) == 1


def test_what_of_a_change_of_keys_a_token_can_make_and_what_it_refuses(hsm: HsmVault) -> None:
    """ChangeKey (AN12343 tables 39 and 40): of the key in use, key and version; of another, new XOR old, version, CRC32, all in CBC.

    A session key can be derived and kept inside, and a key be enciphered for the card by wrapping it in CBC: so far the process would see nothing. No
    mechanism XORs two keys, and none makes a CRC32 of one: docs/decisions/0024-city-on-a-token.md.
    """
    inside = {Attribute.SENSITIVE: True, Attribute.PRIVATE: True}
    both = MechanismFlag.SIGN | MechanismFlag.ENCRYPT | MechanismFlag.DERIVE | MechanismFlag.WRAP
    derive = {"mechanism": Mechanism.AES_CBC_ENCRYPT_DATA, "mechanism_param": (bytes(16), bytes(16))}

    def derived(key: Any, *, extractable: bool) -> Any:
        template = inside | {Attribute.EXTRACTABLE: extractable}
        return key.derive_key(KeyType.AES, 128, capabilities=both, template=template, store=False, **derive)

    master = hsm._object(KeyName("debit", 1))
    card_key, new = derived(master, extractable=False), derived(master, extractable=True)
    session = derived(card_key, extractable=False)
    for one in (card_key, new, session):
        with pytest.raises(pkcs11.exceptions.AttributeSensitive):
            one[Attribute.VALUE]
    iv = bytes(range(16))
    first = session.wrap_key(new, mechanism=Mechanism.AES_CBC, mechanism_param=iv)
    value = SoftKey(MASTER, 1).encrypt(bytes(16), bytes(16))
    assert first == SoftKey(SoftKey(value, 1).encrypt(bytes(16), bytes(16)), 1).encrypt(value, iv)
    for mechanism in (Mechanism.XOR_BASE_AND_DATA, Mechanism.CONCATENATE_BASE_AND_KEY):
        with pytest.raises(pkcs11.exceptions.MechanismInvalid):
            new.derive_key(
                KeyType.AES, 128, mechanism=mechanism, mechanism_param=iv, template=inside, store=False
            )
    assert [one for one in hsm._session.token.slot.get_mechanisms() if "CRC" in str(one)] == []


def test_a_key_goes_from_a_file_into_a_token_wrapped(hsm: HsmVault, tmp_path: Path) -> None:
    file = FileVault.create(tmp_path / "v", "x", 16)
    file.add_key(TRANSPORT, Purpose.TRANSPORT, bytes(16))
    file.generate_key(KeyName("read", 1), Purpose.CARD)
    told = hsm.unwrap(KeyName("read", 1), Purpose.CARD, file.wrap(KeyName("read", 1), TRANSPORT), TRANSPORT)
    assert told.check_value == file.contents()[0].check_value
    assert hsm.card_key(Role.READ, 1, UID).cmac(b"x") == file.card_key(Role.READ, 1, UID).cmac(b"x")


def test_a_token_opens_again_with_its_pin_and_shows_the_same(
    hsm: HsmVault, tokens: SoftTokens, token: str
) -> None:
    before, mac, public = hsm.contents(), hsm.card_key(Role.LOAD, 1, UID).cmac(b"x"), hsm.public_key("ledger")
    hsm.close()
    with HsmVault.open(tokens.module, token, PIN, "Semarang") as again:
        assert again.contents() == before
        assert again.card_key(Role.LOAD, 1, UID).cmac(b"x") == mac
        assert again.public_key("ledger") == public
    with pytest.raises(VaultSwapped, match="belongs to Semarang, not to Demak"):
        HsmVault.open(tokens.module, token, PIN, "Demak")


def test_a_wrong_pin_opens_nothing_and_does_not_show(tokens: SoftTokens, token: str) -> None:
    with pytest.raises(VaultLocked, match="wrong PIN") as caught:
        HsmVault.open(tokens.module, token, "11112222")
    assert "11112222" not in str(caught.value)


def test_a_token_that_is_not_there_says_so(tokens: SoftTokens) -> None:
    with pytest.raises(TokenError, match="no token nowhere to open"):
        HsmVault.open(tokens.module, "nowhere", PIN)
    with pytest.raises(TokenError, match="look at the module"):
        HsmVault.open(str(tokens.folder / "none.so"), "nowhere", PIN)


def test_a_token_without_a_vault_or_with_one_says_so(tokens: SoftTokens, token: str) -> None:
    with pytest.raises(TokenError, match="holds no vault"):
        HsmVault.open(tokens.module, token, PIN)
    with HsmVault.create(tokens.module, token, PIN) as made:
        assert made.name == token
        with pytest.raises(TokenError, match="open in this process already"):
            HsmVault.open(tokens.module, token, PIN)
    with pytest.raises(TokenError, match="holds a vault already"):
        HsmVault.create(tokens.module, token, PIN)


def test_a_key_that_a_crash_left_unnoted_is_made_anew(hsm: HsmVault, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise OSError("the power went")

    before = hsm.record()
    with monkeypatch.context() as patched:
        patched.setattr(HsmVault, "_store", crash)
        with pytest.raises(OSError, match="power"):
            hsm.add_master(Role.READ, 1, MASTER)
    assert (hsm.record(), hsm.versions(Role.READ)) == (before, [])
    hsm.add_master(Role.READ, 1, bytes(16))
    wanted = SoftKey(diversify_aes128(bytes(16), card_input(UID, Role.READ.key_no, 1)), 1)
    assert hsm.card_key(Role.READ, 1, UID).cmac(b"x") == wanted.cmac(b"x")


def test_a_closed_token_answers_with_an_error_of_ours(hsm: HsmVault) -> None:
    key = hsm.card_key(Role.DEBIT, 1, UID)
    hsm.close()
    with pytest.raises(TokenError, match="is closed: open it again"):
        key.cmac(b"x")


def test_a_signing_key_of_a_token_is_never_given(hsm: HsmVault) -> None:
    signer = TokenSigner(lambda message: hsm.sign("ledger", message), hsm.public_key("ledger"))
    signer.public_key().verify(signer.sign(b"x"), b"x")
    with pytest.raises(KeyMisused, match="cannot be read"):
        signer.private_bytes_raw()
    with pytest.raises(KeyMisused, match="cannot be read"):
        signer.private_bytes()


def test_many_threads_share_a_token(hsm: HsmVault) -> None:
    wanted = {
        number: SoftKey(
            diversify_aes128(MASTER, card_input(bytes([number]) * 7, Role.DEBIT.key_no, 1)), 1
        ).cmac(b"x")
        for number in range(8)
    }
    found: dict[int, set[bytes]] = {number: set() for number in wanted}

    def work(number: int) -> None:
        for _ in range(50):
            found[number].add(hsm.card_key(Role.DEBIT, 1, bytes([number]) * 7).cmac(b"x"))

    threads = [threading.Thread(target=work, args=(number,)) for number in wanted]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert found == {number: {mac} for number, mac in wanted.items()}


def test_a_crash_between_two_states_leaves_the_newer_one(
    hsm: HsmVault, tokens: SoftTokens, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = hsm.record()
    with monkeypatch.context() as patched:
        store = HsmVault._store
        patched.setattr(HsmVault, "_store", lambda self, _older: store(self, ()))
        hsm.add_master(Role.DEBIT, 2, MASTER)
    after = hsm.record()
    hsm.close()
    with HsmVault.open(tokens.module, token, PIN) as again:
        assert again.record() == after
        again.check_against(before)
        again.retire(Role.DEBIT, 1)
        with pytest.raises(VaultRolledBack):
            again.check_against(type(after)(after.name, after.generation + 9, after.digest))
