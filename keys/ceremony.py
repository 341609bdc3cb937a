"""A key ceremony: three custodians' components make a key that none of them knows (docs/keys.md).

Each component has a check value, announced when it was made; a wrong component is found before anything is stored. The record says what,
when, who and the check values, and is signed.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from keys.cmac import BLOCK
from keys.diversify import xor
from keys.envelope import seal
from keys.errors import CeremonyError
from keys.softkey import check_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keys.clock import UnixMs
    from keys.vault import KeyVault, Role

COMPONENTS: Final = 3
WITNESSES_MIN: Final = 2
RECORD_CONTENT_TYPE: Final = "application/ksh-ceremony+json"


SAME_COMPONENT: Final = (
    "two components are the same: they cancel out, and whoever has the third one has the key; draw them anew"
)


def as_said(name: str) -> str:
    """A person's name however it is typed: two ways to write it are no two people."""
    return " ".join(name.split()).casefold()


class Component:
    """One custodian's part of a key; the value shows nowhere."""

    __slots__ = ("_value", "check_value", "custodian")

    def __init__(self, custodian: str, value: bytes, announced: bytes) -> None:
        """Raises CeremonyError where the value is not the announced one."""
        if len(value) != BLOCK or check_value(value) != announced:
            raise CeremonyError(
                f"the component of {custodian} has another check value than announced: enter it again"
            )
        self._value = value
        self.custodian = custodian
        self.check_value = announced

    def __repr__(self) -> str:
        return f"<Component of {self.custodian}, check value {self.check_value.hex()}>"

    @classmethod
    def drawn(cls, custodian: str) -> Component:
        """A fresh random component."""
        value = secrets.token_bytes(BLOCK)
        return cls(custodian, value, check_value(value))

    def combined(self, other: bytes) -> bytes:
        """This component XORed into what others gave."""
        return xor(self._value, other)


@dataclass(frozen=True, slots=True)
class CeremonyRecord:
    """What happened in a ceremony; check values in hexadecimal, times in milliseconds since 1970."""

    role: str
    version: int
    at: int
    custodians: tuple[str, ...]
    witnesses: tuple[str, ...]
    component_check_values: tuple[str, ...]
    check_value: str


def hold(
    vault: KeyVault,
    role: Role,
    version: int,
    components: Sequence[Component],
    witnesses: Sequence[str],
    at: UnixMs,
) -> CeremonyRecord:
    """Combine three components into a master key, straight into the vault.

    Raises CeremonyError where people or components are too few or the same twice; KeyMisused where that version exists.
    """
    custodians = tuple(component.custodian for component in components)
    if len(components) != COMPONENTS or len(set(map(as_said, custodians))) != COMPONENTS:
        raise CeremonyError(f"a ceremony takes {COMPONENTS} components of {COMPONENTS} custodians")
    if len({component.check_value for component in components}) != COMPONENTS:
        raise CeremonyError(SAME_COMPONENT)
    if len(set(map(as_said, witnesses))) < WITNESSES_MIN:
        raise CeremonyError(f"a ceremony takes {WITNESSES_MIN} people present beside the components")
    value = bytes(BLOCK)
    for component in components:
        value = component.combined(value)
    vault.add_master(role, version, value)
    parts = tuple(component.check_value.hex() for component in components)
    return CeremonyRecord(
        role.value, version, at, custodians, tuple(witnesses), parts, check_value(value).hex()
    )


def signed(records: Sequence[CeremonyRecord], vault: KeyVault, label: str) -> bytes:
    """The records of a ceremony in a signed envelope."""
    text = json.dumps([asdict(record) for record in records], sort_keys=True)
    kid = vault.public_key(label)[:8]
    return seal(
        text.encode(), kid=kid, sign=lambda data: vault.sign(label, data), content_type=RECORD_CONTENT_TYPE
    )
