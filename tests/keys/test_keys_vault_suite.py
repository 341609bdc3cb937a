"""What every vault does, the encrypted file and the PKCS#11 token alike: one suite, both kinds."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from card import evidence, purse
from card.errors import CardForeign
from card.layout import Journey, TapKind
from card.personalise import personalise
from card.purse import Change
from card.virtual import VirtualCard
from keys.clock import SystemClock, UnixMs
from keys.cmac import aes_cmac
from keys.diversify import card_input, diversify_aes128, xor
from keys.errors import (
    KeyBlockError,
    KeyMissing,
    KeyMisused,
    KeyRetired,
    KeysError,
    VaultRolledBack,
    VaultSwapped,
)
from keys.identity import TerminalAuthority, TerminalIdentity, TerminalRole, read_certificate
from keys.money import Rupiah
from keys.softkey import FACTORY_KEY, SoftKey, check_value
from keys.vault import KeyName, Purpose, Role, VaultRecord
from tests.card.known import IDENTITY, VECTORS, unhex

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from keys.vault import KeyVault

AT = UnixMs(1_795_000_000_000)
UID = bytes.fromhex("04a1b2c3d4e5f6")
MASTER = bytes.fromhex("00112233445566778899aabbccddeeff")
IV = bytes(range(16))
DEBIT = KeyName("debit", 1)
TRANSPORT = KeyName("transport", 1)
AES128 = [name for name in VECTORS if name.startswith("an10922-aes128")]


# AN10922 and CMAC


@pytest.mark.parametrize("name", AES128)
def test_a_card_key_is_the_published_one(vault: KeyVault, name: str) -> None:
    master, m = unhex(VECTORS[name], "master", "m")
    published = SoftKey(bytes.fromhex(VECTORS[name]["outputs"]["key"]), 1)
    vault.add_master(Role.DEBIT, 1, master)
    derived = vault.derived(Role.DEBIT, 1, m)
    assert derived.cmac(b"any message") == published.cmac(b"any message")
    assert derived.encrypt(bytes(48), IV) == published.encrypt(bytes(48), IV)
    assert derived.decrypt(bytes(48), IV) == published.decrypt(bytes(48), IV)
    assert derived.sealed(bytes(16), IV, FACTORY_KEY) == published.sealed(bytes(16), IV, FACTORY_KEY)


def test_a_key_of_192_bits_gives_the_published_parts(vault: KeyVault) -> None:
    """AN10922 section 2.3 makes the key of two MACs; the city's own keys have 128 bits."""
    vector = VECTORS["an10922-aes192"]
    master, m = unhex(vector, "master", "m")
    name = KeyName("sites", 1)
    vault.add_key(name, Purpose.MAC, master)
    a, b = vault.cmac(name, b"\x11" + m), vault.cmac(name, b"\x12" + m)
    assert a.hex() == vector["outputs"]["a"]
    assert (a[:8] + xor(a[8:], b[:8]) + b[8:]).hex() == vector["outputs"]["key"]


@pytest.mark.parametrize("name", [name for name in VECTORS if name.startswith("aes-cmac-rfc4493")])
def test_a_mac_key_gives_the_published_mac(vault: KeyVault, name: str) -> None:
    key, message = unhex(VECTORS[name], "key", "message")
    vault.add_key(KeyName("seal", 1), Purpose.MAC, key)
    assert vault.cmac(KeyName("seal", 1), message).hex() == VECTORS[name]["outputs"]["cmac"]


def test_every_input_from_1_to_31_bytes_derives_as_the_software_does(vault: KeyVault) -> None:
    vault.add_master(Role.DEBIT, 1, MASTER)
    for size in range(1, 32):
        m = bytes(range(size))
        wanted = aes_cmac(diversify_aes128(MASTER, m), b"probe")
        assert vault.derived(Role.DEBIT, 1, m).cmac(b"probe") == wanted
    with pytest.raises(KeysError, match="1 to 31 bytes, not 32"):
        vault.derived(Role.DEBIT, 1, bytes(32))


def test_more_cards_than_are_kept_ready_all_have_their_keys(vault: KeyVault) -> None:
    vault.add_master(Role.DEBIT, 1, MASTER)
    first = vault.card_key(Role.DEBIT, 1, UID)
    before = first.cmac(b"x")
    for number in range(1_100):
        vault.card_key(Role.DEBIT, 1, number.to_bytes(7, "big")).cmac(b"x")
    assert first.cmac(b"x") == before


# One card's whole life


def test_a_card_is_made_loaded_and_debited_with_keys_of_the_vault(vault: KeyVault) -> None:
    for role in Role:
        vault.generate_key(KeyName(role.value, 1), Purpose.CARD)
    chip = VirtualCard(UID)
    personalise(chip, vault, IDENTITY)
    counted = []
    for role, change in (
        (Role.LOAD, Change(TapKind.LOAD, Rupiah(50_000), None, 1, 1, AT)),
        (Role.DEBIT, Change(TapKind.FARE, Rupiah(3_500), Journey(), 1, 2, AT)),
    ):
        open_ = purse.open_card(chip, vault, role)
        open_.stage(change)
        proof = open_.commit()
        key = vault.card_key(Role.TRANSACTION_MAC, 1, chip.uid)
        assert evidence.verify(key, proof.uid, proof.tmc, proof.tmi, proof.tmv)
        counted.append(proof.tmc)
    assert counted[1] == counted[0] + 1
    assert purse.open_card(chip, vault, Role.DEBIT).balance == 46_500


def test_a_key_in_the_vault_replaces_another_of_the_vault_on_a_card(vault: KeyVault) -> None:
    vault.add_master(Role.DEBIT, 1, MASTER)
    vault.add_master(Role.DEBIT, 2, bytes(16))
    old, new = (vault.card_key(Role.DEBIT, version, UID) for version in (1, 2))
    soft = [
        SoftKey(diversify_aes128(master, card_input(UID, Role.DEBIT.key_no, version)), version)
        for version, master in ((1, MASTER), (2, bytes(16)))
    ]
    assert new.sealed(bytes(16), IV, old) == soft[1].sealed(bytes(16), IV, soft[0])
    assert new.sealed(bytes(16), IV, None) == soft[1].sealed(bytes(16), IV, None)


def test_keys_of_two_vaults_change_no_card(vault: KeyVault) -> None:
    vault.add_master(Role.DEBIT, 1, MASTER)
    stranger: object = object()
    with pytest.raises(KeyMisused, match="one vault"):
        vault.card_key(Role.DEBIT, 1, UID).sealed(bytes(16), IV, stranger)  # type: ignore[arg-type]


# One purpose a key


def test_a_key_serves_its_purpose_and_no_other(vault: KeyVault) -> None:
    names = {
        purpose: KeyName(purpose.value, 1) for purpose in (Purpose.MAC, Purpose.CIPHER, Purpose.TRANSPORT)
    }
    for purpose, name in names.items():
        vault.add_key(name, purpose, MASTER)
    vault.add_master(Role.DEBIT, 1, MASTER)
    vault.generate_signing_key("ledger")
    uses: dict[Purpose, Callable[[KeyName], object]] = {
        Purpose.MAC: lambda name: vault.cmac(name, b""),
        Purpose.CIPHER: lambda name: vault.encrypt(name, bytes(16), IV),
        Purpose.TRANSPORT: lambda name: vault.unwrap(KeyName("other", 1), Purpose.MAC, bytes(24), name),
    }
    everything = {**names, Purpose.CARD: DEBIT, Purpose.SIGN: KeyName("ledger", 0)}
    for purpose, use in uses.items():
        for name in (name for other, name in everything.items() if other is not purpose):
            with pytest.raises(KeyMisused, match="one purpose"):
                use(name)
    with pytest.raises(KeyMisused, match="one purpose"):
        vault.decrypt(DEBIT, bytes(16), IV)
    assert vault.cmac(names[Purpose.MAC], b"x") == aes_cmac(MASTER, b"x")


def test_a_cipher_key_enciphers_as_openssl_does(vault: KeyVault) -> None:
    vault.add_key(KeyName("names", 1), Purpose.CIPHER, MASTER)
    sealed = vault.encrypt(KeyName("names", 1), bytes(32), IV)
    assert sealed == Cipher(AES(MASTER), CBC(IV)).encryptor().update(bytes(32))
    assert vault.decrypt(KeyName("names", 1), sealed, IV) == bytes(32)


@pytest.mark.parametrize(
    ("name", "purpose", "value", "reason"),
    [
        (DEBIT, Purpose.CARD, bytes(16), "next version"),
        (KeyName("debit", 256), Purpose.CARD, bytes(16), "from 0 to 255"),
        (KeyName("debit", 2), Purpose.CARD, bytes(24), "16 bytes"),
        (KeyName("debit", 2), Purpose.MAC, bytes(16), "has another purpose"),
        (KeyName("load", 1), Purpose.MAC, bytes(16), "cannot be called load"),
        (KeyName("friend", 1), Purpose.CARD, bytes(16), "cannot be called friend"),
        (KeyName("seal", 1), Purpose.MAC, bytes(15), "16 or 24 or 32 bytes"),
        (KeyName("signer", 1), Purpose.SIGN, bytes(32), "made in the vault"),
    ],
)
def test_a_key_that_does_not_fit_is_refused_and_changes_nothing(
    vault: KeyVault, name: KeyName, purpose: Purpose, value: bytes, reason: str
) -> None:
    vault.add_master(Role.DEBIT, 1, MASTER)
    before = vault.contents(), vault.generation
    with pytest.raises(KeyMisused, match=reason):
        vault.add_key(name, purpose, value)
    assert (vault.contents(), vault.generation) == before


@pytest.mark.parametrize("purpose", [Purpose.TRANSPORT, Purpose.SIGN])
def test_a_transport_or_signing_key_is_not_made_alone(vault: KeyVault, purpose: Purpose) -> None:
    with pytest.raises(KeyMisused, match="ceremony at both"):
        vault.generate_key(KeyName("transport", 1), purpose)


# What is said of keys


def test_a_vault_says_names_purposes_check_values_and_times_and_no_secret(vault: KeyVault) -> None:
    started = SystemClock().now()
    vault.add_master(Role.DEBIT, 1, MASTER)
    vault.add_key(TRANSPORT, Purpose.TRANSPORT, bytes(32))
    vault.add_key(KeyName("names", 1), Purpose.CIPHER, MASTER)
    vault.add_key(KeyName("seal", 1), Purpose.MAC, MASTER)
    vault.generate_signing_key("ledger")
    told = {one.label: one for one in vault.contents()}
    assert next(iter(told)) == "debit"
    assert told["debit"].role is Role.DEBIT
    assert {told[label].check_value for label in ("debit", "names", "seal")} == {check_value(MASTER)}
    assert told["transport"].check_value == check_value(bytes(32))
    assert vault.public_key("ledger").startswith(told["ledger"].check_value)
    assert {one.purpose for one in told.values()} == set(Purpose)
    assert all(started <= one.created <= SystemClock().now() for one in told.values())
    assert MASTER.hex() not in repr(vault) + repr(told)


def test_a_key_made_inside_has_a_check_value_and_is_never_the_same_twice(vault: KeyVault) -> None:
    for label, purpose in (("debit", Purpose.CARD), ("seal", Purpose.MAC), ("names", Purpose.CIPHER)):
        one, two = (vault.generate_key(KeyName(label, version), purpose) for version in (1, 2))
        assert len(one.check_value) == 5
        assert one.check_value != two.check_value


def test_neither_vault_nor_key_is_pickled(vault: KeyVault) -> None:
    vault.add_master(Role.DEBIT, 1, MASTER)
    for one in (vault, vault.card_key(Role.DEBIT, 1, UID)):
        with pytest.raises(KeyMisused, match="not pickled"):
            pickle.dumps(one)


def test_a_missing_key_says_which_and_what_to_do(vault: KeyVault) -> None:
    with pytest.raises(KeyMissing, match="no load key: is it the right vault"):
        vault.current(Role.LOAD)
    vault.add_master(Role.LOAD, 1, MASTER)
    with pytest.raises(KeyMissing, match="no load key of version 2: update it"):
        vault.card_key(Role.LOAD, 2, UID)
    with pytest.raises(KeyMissing, match="no ledger key"):
        vault.sign("ledger", b"")
    with pytest.raises(KeyMissing):
        vault.wrap(KeyName("debit", 1), TRANSPORT)


# Versions


def test_a_new_version_is_for_new_cards_and_both_are_accepted_until_one_is_retired(vault: KeyVault) -> None:
    for role in Role:
        vault.generate_key(KeyName(role.value, 1), Purpose.CARD)
    old, new = VirtualCard(UID), VirtualCard(bytes([4, 9, 9, 9, 9, 9, 9]))
    personalise(old, vault, IDENTITY)
    vault.generate_key(KeyName("debit", 2), Purpose.CARD)
    assert vault.current(Role.DEBIT) == 2
    personalise(new, vault, IDENTITY)
    assert [purse.open_card(chip, vault, Role.DEBIT).balance for chip in (old, new)] == [0, 0]
    vault.retire(Role.DEBIT, 1)
    assert vault.versions(Role.DEBIT) == [2]
    assert purse.open_card(new, vault, Role.DEBIT).balance == 0
    with pytest.raises(CardForeign):
        purse.open_card(old, vault, Role.DEBIT)
    with pytest.raises(KeyRetired, match="version 1 is retired"):
        vault.card_key(Role.DEBIT, 1, UID)
    retired = next(one for one in vault.contents() if (one.label, one.version) == DEBIT)
    assert retired.retired is not None
    assert retired.retired >= retired.created


def test_the_only_version_in_use_is_not_retired(vault: KeyVault) -> None:
    vault.add_master(Role.DEBIT, 1, MASTER)
    with pytest.raises(KeyMisused, match="roll the role first"):
        vault.retire(Role.DEBIT, 1)
    vault.add_master(Role.DEBIT, 2, MASTER)
    vault.retire(Role.DEBIT, 1)
    with pytest.raises(KeyRetired):
        vault.retire(Role.DEBIT, 1)
    with pytest.raises(KeyMisused, match="next version"):
        vault.add_master(Role.DEBIT, 1, MASTER)


# Signatures


def test_a_signature_is_ed25519_and_certificates_are_signed_inside(vault: KeyVault, tmp_path: Path) -> None:
    vault.generate_signing_key("authority")
    public = Ed25519PublicKey.from_public_bytes(vault.public_key("authority"))
    public.verify(vault.sign("authority", b"message"), b"message")
    authority = TerminalAuthority(vault, "authority", SystemClock())
    root = x509.load_pem_x509_certificate(authority.root_certificate())
    root.verify_directly_issued_by(root)
    pem = authority.enrol(TerminalIdentity(tmp_path / "d").request(), 1001, TerminalRole.VALIDATOR, 12)
    assert read_certificate(pem, authority.root_certificate(), SystemClock().now()).terminal == 1001
    with pytest.raises(KeyMisused, match="another label"):
        vault.generate_signing_key("authority")


# Wrapped keys


def test_a_wrapped_key_comes_in_and_works(vault: KeyVault) -> None:
    vault.add_key(TRANSPORT, Purpose.TRANSPORT, bytes(16))
    told = vault.unwrap(DEBIT, Purpose.CARD, aes_key_wrap(bytes(16), MASTER), TRANSPORT)
    assert told.check_value == check_value(MASTER)
    wanted = diversify_aes128(MASTER, card_input(UID, Role.DEBIT.key_no, 1))
    assert vault.card_key(Role.DEBIT, 1, UID).cmac(b"x") == aes_cmac(wanted, b"x")


@pytest.mark.parametrize("spoilt", [b"", bytes(24), aes_key_wrap(bytes([1]) * 16, MASTER)])
def test_a_wrapped_key_that_was_changed_or_is_anothers_stays_out(vault: KeyVault, spoilt: bytes) -> None:
    vault.add_key(TRANSPORT, Purpose.TRANSPORT, bytes(16))
    before = vault.contents(), vault.generation
    with pytest.raises(KeyBlockError, match="does not open under transport version 1"):
        vault.unwrap(DEBIT, Purpose.CARD, spoilt, TRANSPORT)
    assert (vault.contents(), vault.generation) == before


# Generations


def test_every_change_is_a_generation_and_a_record_of_the_past_holds(vault: KeyVault) -> None:
    records = [vault.record()]
    for version in (1, 2):
        vault.add_master(Role.DEBIT, version, MASTER)
        records.append(vault.record())
    vault.retire(Role.DEBIT, 1)
    assert [one.generation for one in records] == [1, 2, 3]
    assert vault.generation == 4
    for one in records:
        vault.check_against(one)
    assert len({one.digest for one in records}) == 3


def test_a_record_of_the_future_of_another_history_or_of_another_name_is_an_alarm(vault: KeyVault) -> None:
    vault.add_master(Role.DEBIT, 1, MASTER)
    now = vault.record()
    with pytest.raises(VaultRolledBack, match="an older copy"):
        vault.check_against(VaultRecord(now.name, now.generation + 1, now.digest))
    for generation in (0, -1, 1, 2):
        with pytest.raises(VaultRolledBack, match="left that history"):
            vault.check_against(VaultRecord(now.name, generation, bytes(32)))
    with pytest.raises(VaultSwapped, match="record is that of Demak"):
        vault.check_against(VaultRecord("Demak", now.generation, now.digest))
