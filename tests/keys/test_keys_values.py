"""Key values never cross the vaults' protocol (law 11): every method of it is called, and nothing that comes out, is logged or is said holds one."""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from cryptography import x509
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from keys.clock import SystemClock
from keys.diversify import card_input, diversify_aes128
from keys.errors import KeyMisused, KeysError
from keys.identity import TerminalAuthority
from keys.softkey import FACTORY_KEY, sealed_value
from keys.vault import CardKey, KeyName, KeyVault, Purpose, Role, VaultRecord
from tests.system.typist import shown

if TYPE_CHECKING:
    from collections.abc import Callable

MASTER, OLDER, MACS, CIPHER, CARRIER = (bytes(range(at, at + 16)) for at in (1, 33, 65, 97, 129))
SENT = bytes(range(161, 177))
SESSION, IV = bytes(range(201, 217)), bytes(16)
UID = bytes.fromhex("04a1b2c3d4e5f6")
M = card_input(UID, Role.DEBIT.key_no, 2)
CARD_KEY = diversify_aes128(MASTER, M)
OLD_CARD_KEY = diversify_aes128(OLDER, card_input(UID, Role.DEBIT.key_no, 1))
SECRETS = [MASTER, OLDER, MACS, CIPHER, CARRIER, SENT, CARD_KEY, OLD_CARD_KEY]
TRANSPORT = KeyName("transport", 1)


def filled(vault: KeyVault) -> None:
    vault.add_master(Role.DEBIT, 1, OLDER)
    vault.add_key(TRANSPORT, Purpose.TRANSPORT, CARRIER)
    vault.add_master(Role.DEBIT, 2, MASTER)
    vault.add_key(KeyName("macs", 1), Purpose.MAC, MACS)
    vault.add_key(KeyName("cipher", 1), Purpose.CIPHER, CIPHER)
    vault.generate_signing_key("authority")


def issued(vault: KeyVault) -> x509.Certificate:
    return x509.load_pem_x509_certificate(
        TerminalAuthority(vault, "authority", SystemClock()).root_certificate()
    )


VAULT: dict[str, Callable[[KeyVault], Any]] = {
    "card_key": lambda v: v.card_key(Role.DEBIT, 2, UID),
    "current": lambda v: v.current(Role.DEBIT),
    "versions": lambda v: v.versions(Role.DEBIT),
    "sign": lambda v: v.sign("authority", b"message"),
    "public_key": lambda v: v.public_key("authority"),
    "issue_certificate": issued,
    "contents": lambda v: v.contents(),
    "generation": lambda v: v.generation,
    "next_version": lambda v: v.next_version("debit"),
    "derived": lambda v: v.derived(Role.DEBIT, 2, M),
    "cmac": lambda v: v.cmac(KeyName("macs", 1), b"message"),
    "encrypt": lambda v: v.encrypt(KeyName("cipher", 1), bytes(32), IV),
    "decrypt": lambda v: v.decrypt(KeyName("cipher", 1), bytes(32), IV),
    "wrap": lambda v: v.wrap(KeyName("debit", 2), TRANSPORT),
    "unwrap": lambda v: v.unwrap(KeyName("read", 5), Purpose.CARD, aes_key_wrap(CARRIER, SENT), TRANSPORT),
    "add_master": lambda v: v.add_master(Role.READ, 6, SENT),
    "add_key": lambda v: v.add_key(KeyName("macs", 2), Purpose.MAC, SENT),
    "generate_key": lambda v: v.generate_key(KeyName("load", 1), Purpose.CARD),
    "generate_signing_key": lambda v: v.generate_signing_key("ledger"),
    "retire": lambda v: v.retire(Role.DEBIT, 1),
    "record": lambda v: v.record(),
    "check_against": lambda v: v.check_against(v.record()),
}
CARD: dict[str, Callable[[CardKey, CardKey], Any]] = {
    "version": lambda new, _: new.version,
    "cmac": lambda new, _: new.cmac(b"message"),
    "encrypt": lambda new, _: new.encrypt(bytes(32), IV),
    "decrypt": lambda new, _: new.decrypt(bytes(32), IV),
    "sealed": lambda new, old: [new.sealed(SESSION, IV, old), new.sealed(SESSION, IV, None)],
}


def members(protocol: type) -> set[str]:
    """Everything that a protocol offers."""
    return {name for name, _ in inspect.getmembers(protocol) if not name.startswith("_")}


def bytes_of(told: Any) -> bytes:
    """All that an answer says: its bytes, and how it is written."""
    parts = told if isinstance(told, list) else [told]
    raw = b"|".join(one for one in parts if isinstance(one, bytes))
    der = b"".join(one.public_bytes_raw() if hasattr(one, "public_bytes_raw") else b"" for one in parts)
    return raw + der + repr(told).encode() + str(told).encode()


def test_every_method_of_the_protocol_is_called_here() -> None:
    assert set(VAULT) == members(KeyVault)
    assert set(CARD) == members(CardKey)


def test_no_method_returns_logs_or_says_a_key_value(
    vault: KeyVault, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    filled(vault)
    new, old = vault.card_key(Role.DEBIT, 2, UID), vault.card_key(Role.DEBIT, 1, UID)
    with caplog.at_level(logging.DEBUG), structlog.testing.capture_logs() as logged:
        told = {f"card key's {name}": bytes_of(call(new, old)) for name, call in CARD.items()}
        told |= {name: bytes_of(call(vault)) for name, call in VAULT.items()}
    out = capfd.readouterr()
    told["logs"] = f"{logged}{caplog.text}{out.out}{out.err}".encode()
    told["vault"] = bytes_of(vault) + bytes_of(new) + bytes_of(vars(vault).keys())
    assert {name for name, data in told.items() if shown(SECRETS, data)} == set()


def test_what_is_refused_says_no_key_value_either(vault: KeyVault) -> None:
    filled(vault)
    wrong: list[Callable[[], object]] = [
        lambda: vault.add_master(Role.DEBIT, 2, SENT),
        lambda: vault.add_key(KeyName("macs", 1), Purpose.MAC, SENT),
        lambda: vault.add_key(KeyName("long", 1), Purpose.MAC, SENT + b"x"),
        lambda: vault.unwrap(KeyName("read", 5), Purpose.CARD, SENT * 2, TRANSPORT),
        lambda: vault.wrap(TRANSPORT, TRANSPORT),
        lambda: vault.cmac(KeyName("debit", 2), b"message"),
        lambda: vault.check_against(VaultRecord(vault.record().name, 99, SENT)),
        lambda: vault.card_key(Role.DEBIT, 2, UID).sealed(SESSION, IV, Foreign()),
    ]
    for act in wrong:
        with pytest.raises(KeysError) as refused:
            act()
        assert shown(SECRETS, repr(refused.value).encode()) == []


class Foreign:
    """A key of some other vault."""

    version = 1

    def cmac(self, message: bytes) -> bytes:
        return message[:16]

    def encrypt(self, data: bytes, iv: bytes) -> bytes:
        return data + iv

    def decrypt(self, data: bytes, iv: bytes) -> bytes:
        return data + iv

    def sealed(self, session_key: bytes, iv: bytes, old: CardKey | None) -> bytes:
        return session_key + iv + repr(old).encode()


def test_the_cryptograms_of_changekey_are_made_whole_inside_the_vault(vault: KeyVault) -> None:
    """Whoever asks gives a session key and gets what goes to the chip: the very bytes of AN12343 tables 39 and 40, over values that the caller never has."""
    filled(vault)
    new, old = vault.card_key(Role.DEBIT, 2, UID), vault.card_key(Role.DEBIT, 1, UID)
    assert new.sealed(SESSION, IV, None) == sealed_value(CARD_KEY, 2, SESSION, IV)
    assert new.sealed(SESSION, IV, FACTORY_KEY) == sealed_value(CARD_KEY, 2, SESSION, IV, bytes(16))
    assert new.sealed(SESSION, IV, old) == sealed_value(CARD_KEY, 2, SESSION, IV, OLD_CARD_KEY)
    with pytest.raises(KeyMisused, match="one vault"):
        new.sealed(SESSION, IV, Foreign())
