"""A token's backup: its keys as they were wrapped at their birth, with what is said of each, signed by the city.

Nobody can read it without the transport key, which custodians bring to the new token in a ceremony of their own. What was made before there was a transport key
is not in it: the backup says which.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import cbor2

from keys import cbor
from keys.envelope import parse, seal
from keys.errors import CborMalformed, EnvelopeError, KeyBlockError
from keys.vault import KeyName, Purpose, Role

if TYPE_CHECKING:
    from keys.citytoken import CityToken
    from keys.vault import KeyInfo

CONTENT_TYPE: Final = "application/ksh-token-backup+cbor"
_VERSION: Final = 1


class Entry(NamedTuple):
    """One key in a backup: its name, purpose and check value, whether it was retired, and its copy under a transport key."""

    name: KeyName
    purpose: Purpose
    check_value: bytes
    retired: bool
    under: KeyName
    copy: bytes


def make(vault: CityToken, label: str) -> tuple[bytes, list[KeyInfo]]:
    """A backup, signed by the key of a label, and what is not in it."""
    entries, missing = [], []
    for one in vault.contents():
        name = KeyName(one.label, one.version)
        copy = vault.wrapped(name)
        if copy is None:
            missing.append(one)
            continue
        under, blob = copy
        entries.append([*name, one.purpose.value, one.check_value, one.retired is not None, *under, blob])
    payload = cbor2.dumps([_VERSION, vault.name, vault.generation, entries], canonical=True)
    public = vault.public_key(label)
    body = seal(payload, kid=public, sign=lambda data: vault.sign(label, data), content_type=CONTENT_TYPE)
    return body, missing


class Backup(NamedTuple):
    """Who signed it (raw Ed25519), the vault's name and generation, and its keys."""

    signer: bytes
    name: str
    generation: int
    entries: list[Entry]


def parsed(data: bytes) -> Backup:
    """What a backup holds; raises KeyBlockError where it is none, or was changed."""
    try:
        message = parse(data)
        content: Any = cbor.decoded(message.verify(message.kid))
        version, vault, generation, entries = content
        found = [_entry(one) for one in entries]
        sound = isinstance(vault, str) and type(generation) is int
    except (EnvelopeError, CborMalformed, ValueError, TypeError):
        raise KeyBlockError("the file is no backup of a token, or was changed: take another copy") from None
    if message.content_type != CONTENT_TYPE or version != _VERSION or not sound:
        raise KeyBlockError("the file is no backup of a token that this software wrote: take another copy")
    return Backup(message.kid, vault, generation, found)


def _entry(fields: Any) -> Entry:
    label, number, purpose, check, retired, under, at, blob = fields
    kinds = ((str, label, under), (int, number, at), (bytes, check, blob), (bool, retired))
    if not all(type(value) is kind for kind, *values in kinds for value in values):
        raise TypeError
    return Entry(KeyName(label, number), Purpose(purpose), check, retired, KeyName(under, at), blob)


def restore(entries: list[Entry], vault: CityToken) -> list[KeyInfo]:
    """Take the keys of a backup into a token that has their transport keys; what is there already stays. The keys that came in.

    Raises KeyMissing where a transport key is not there, KeyBlockError where a copy does not open or is another key.
    """
    held = {KeyName(one.label, one.version) for one in vault.contents()}
    came = [_taken(one, vault) for one in entries if one.name not in held]
    for one in entries:
        now = next(held for held in vault.contents() if (held.label, held.version) == one.name)
        if one.retired and now.retired is None:
            vault.retire(Role(one.name.label), one.name.version)
    return came


def _taken(one: Entry, vault: CityToken) -> KeyInfo:
    if one.purpose is Purpose.SIGN:
        told = vault.restore_signing_key(one.name.label, one.copy, one.under)
    else:
        told = vault.unwrap(one.name, one.purpose, one.copy, one.under)
    if told.check_value != one.check_value:
        raise KeyBlockError(
            f"{one.name.label} version {one.name.version} came in with another check value than the backup says: use another token"
        )
    return told
