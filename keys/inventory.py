"""What a vault holds, without a secret: purposes, versions, check values, times, and the history of its states.

Each change is a generation, and its digest is kept: a vault that was put back to an older copy, or went on from one, does not
agree with a record of a later generation that somebody else keeps.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any, Final, Self

import cbor2

from keys.clock import SystemClock, UnixMs
from keys.errors import KeyMissing, KeyMisused, KeyRetired, VaultRolledBack, VaultSwapped
from keys.vault import KeyInfo, KeyName, Purpose, Role, VaultRecord

VERSION_MAX: Final = 255
_ROLES: Final = {role.value for role in Role}
AES_BYTES: Final = (16, 24, 32)
_MASTER_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Held:
    """What is said of one key."""

    purpose: Purpose
    check_value: bytes
    created: UnixMs
    retired: UnixMs | None = None


def _held(
    label: Any, version: Any, purpose: Any, check: Any, made: Any, retired: Any
) -> tuple[KeyName, Held]:
    whole = type(version) is int and type(made) is int and (retired is None or type(retired) is int)
    if not whole or not isinstance(label, str) or not isinstance(check, bytes):
        raise TypeError
    return KeyName(label, version), Held(Purpose(purpose), check, UnixMs(made), retired)


@dataclass(slots=True)
class Inventory:
    """A vault's keys by name, and its history: a digest a generation."""

    name: str
    identity: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    history: list[bytes] = field(default_factory=list)
    held: dict[KeyName, Held] = field(default_factory=dict)

    @property
    def generation(self) -> int:
        """How often the vault has been changed."""
        return len(self.history)

    def as_plain(self) -> dict[str, Any]:
        """For CBOR."""
        keys = [
            [*name, one.purpose.value, one.check_value, one.created, one.retired]
            for name, one in self.held.items()
        ]
        return {"name": self.name, "identity": self.identity, "history": self.history, "keys": keys}

    @classmethod
    def from_plain(cls, plain: dict[str, Any]) -> Self:
        """The inverse of `as_plain`; raises ValueError, TypeError or KeyError for anything else."""
        held = dict(_held(*one) for one in plain["keys"])
        name, identity, history = plain["name"], plain["identity"], plain["history"]
        if (
            not isinstance(name, str)
            or not isinstance(identity, bytes)
            or not all(isinstance(one, bytes) for one in history)
        ):
            raise TypeError
        return cls(name, identity, list(history), held)

    def add(self, name: KeyName, purpose: Purpose, check: bytes) -> KeyInfo:
        """Note a key; raises KeyMisused where that version exists or may not be."""
        self.check_free(name, purpose)
        self.held[name] = Held(purpose, check, SystemClock().now())
        return self._info(name)

    def check_free(self, name: KeyName, purpose: Purpose) -> None:
        """Raises KeyMisused where a key of this name exists, or a name does not go with its purpose."""
        label, version = name
        if not 0 <= version <= VERSION_MAX:
            raise KeyMisused(f"a key has a version from 0 to {VERSION_MAX}, not {version}")
        if name in self.held:
            what = "signing key" if purpose is Purpose.SIGN else "key"
            raise KeyMisused(
                f"{what} {label} version {version} exists: a key is never written over; take the next version or another label"
            )
        if any(one.purpose is not purpose for other, one in self.held.items() if other.label == label):
            raise KeyMisused(f"{label} has another purpose in this vault already: a key has one purpose")
        if (label in _ROLES) is not (purpose is Purpose.CARD):
            raise KeyMisused(f"a {purpose} key cannot be called {label}: the roles' names are their masters'")

    def retire(self, role: Role, version: int) -> None:
        """Mark a version as out of use; raises KeyMissing, KeyMisused."""
        name = KeyName(role.value, version)
        self.usable(name, Purpose.CARD)
        if self.versions(role) == [version]:
            raise KeyMisused(
                f"{role} version {version} is the only one in use: roll the role first, then retire it"
            )
        before = self.held[name]
        self.held[name] = Held(before.purpose, before.check_value, before.created, SystemClock().now())

    def usable(self, name: KeyName, purpose: Purpose) -> Held:
        """What is held under a name, for one purpose; raises KeyMissing, KeyRetired, KeyMisused."""
        label, version = name
        one = self.held.get(name)
        if one is None and not any(other.label == label for other in self.held):
            raise KeyMissing(f"this vault holds no {label} key: is it the right vault for this?")
        if one is None:
            raise KeyMissing(f"this vault holds no {label} key of version {version}: update it")
        if one.purpose is not purpose:
            raise KeyMisused(f"{label} is a {one.purpose} key, and no {purpose} key: a key has one purpose")
        if one.retired is not None:
            raise KeyRetired(f"{label} version {version} is retired: a card of that version must be renewed")
        return one

    def current(self, role: Role) -> int:
        """The version for new cards; raises KeyMissing."""
        versions = self.versions(role)
        if not versions:
            raise KeyMissing(f"this vault holds no {role} key: is it the right vault for this?")
        return versions[0]

    def versions(self, role: Role) -> list[int]:
        """Versions in use, newest first."""
        label = role.value
        found = (name.version for name, one in self.held.items() if name.label == label and not one.retired)
        return sorted(found, reverse=True)

    def next_version(self, label: str) -> int:
        """The version that a new key of this label takes: from 1, past retired ones too."""
        return max((name.version for name in self.held if name.label == label), default=0) + 1

    def info(self, name: KeyName) -> KeyInfo:
        """What is said of a key, retired or not; raises KeyMissing."""
        if name not in self.held:
            raise KeyMissing(f"this vault holds no {name.label} key of version {name.version}")
        return self._info(name)

    def _info(self, name: KeyName) -> KeyInfo:
        one = self.held[name]
        role = Role(name.label) if one.purpose is Purpose.CARD else None
        return KeyInfo(name.label, role, name.version, one.check_value, one.created, one.purpose, one.retired)

    def infos(self) -> list[KeyInfo]:
        """All keys: masters, then others, by label and version."""
        names = sorted(self.held, key=lambda name: (self.held[name].purpose is not Purpose.CARD, name))
        return [self._info(name) for name in names]

    def advance(self) -> None:
        """Begin a new generation: its digest covers everything that is held, and the digest before."""
        before = self.history[-1] if self.history else b""
        plain = self.as_plain() | {"history": before}
        self.history.append(hashlib.sha256(cbor2.dumps(plain, canonical=True)).digest())

    def record(self) -> VaultRecord:
        """The state now."""
        return VaultRecord(self.name, self.generation, self.history[-1])

    def check_against(self, record: VaultRecord) -> None:
        """Raises VaultSwapped for another name, VaultRolledBack where the recorded state is not in this history."""
        if record.name != self.name:
            raise VaultSwapped(f"this is the vault of {self.name}, and the record is that of {record.name}")
        if record.generation > self.generation:
            raise VaultRolledBack(
                f"the vault of {self.name} is at generation {self.generation}, and {record.generation} is on record: "
                "somebody put an older copy back; stop, and restore the newest backup"
            )
        if not record.generation >= 1 or self.history[record.generation - 1] != record.digest:
            raise VaultRolledBack(
                f"the vault of {self.name} is not the one on record: it left that history before generation "
                f"{record.generation}; stop, and restore the newest backup"
            )


def check_size(purpose: Purpose, value: bytes) -> None:
    """Raises KeyMisused where an AES key has a size that its purpose does not take."""
    sizes = (_MASTER_BYTES,) if purpose is Purpose.CARD else AES_BYTES
    if purpose is Purpose.SIGN or len(value) not in sizes:
        raise KeyMisused(
            f"a {purpose} key has {' or '.join(map(str, sizes))} bytes: signing keys are made in the vault"
        )


def check_made_here(purpose: Purpose) -> None:
    """Raises KeyMisused for a key that neither one vault alone can make nor another one can send."""
    if purpose in {Purpose.TRANSPORT, Purpose.SIGN}:
        raise KeyMisused(
            f"a {purpose} key is not made or sent this way: a transport key comes from a ceremony at both vaults, "
            "a signing key from its own vault"
        )
