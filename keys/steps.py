"""A ceremony step by step: its state is kept encrypted after each component, so that the next custodian may come tomorrow.

What is kept is the XOR of the components so far, their check values, and who was there. It goes last, once the key is stored and the record
written: a crash in between leaves a ceremony that is finished again, with the same key and the same record.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, Final, Self

from keys.ceremony import COMPONENTS, SAME_COMPONENT, CeremonyRecord, as_said
from keys.cmac import BLOCK
from keys.errors import CeremonyError
from keys.sealedfile import HUMAN_COST, SealedFile
from keys.softkey import check_value

if TYPE_CHECKING:
    from pathlib import Path

    from keys.ceremony import Component
    from keys.clock import UnixMs
    from keys.vault import KeyInfo, KeyName, KeyVault, Purpose

_KIND: Final = "ksh-ceremony-1"


class Steps:
    """A ceremony under way; `taken` counts its components."""

    def __init__(self, file: SealedFile, state: dict[str, Any]) -> None:
        self._file = file
        self._state = state

    def __repr__(self) -> str:
        return f"<Steps of {self._file.name}, {self.taken} of {COMPONENTS} taken>"

    @classmethod
    def begin(cls, path: Path, passphrase: str, name: KeyName, cost: int = HUMAN_COST) -> Self:
        """Begin a ceremony for a key, or go on with it; raises VaultLocked, VaultSwapped where another key's is under way."""
        bound = f"{name.label} version {name.version}"
        if path.exists():
            file = SealedFile.open(path, _KIND, passphrase, bound)
            return cls(file, file.read())
        file = SealedFile.create(path, _KIND, passphrase, cost, bound)
        steps = cls(
            file,
            {
                "mark": secrets.token_hex(4),
                "value": bytes(BLOCK),
                "custodians": [],
                "witnesses": [],
                "checks": [],
            },
        )
        file.write(steps._state)
        return steps

    @property
    def mark(self) -> str:
        """What tells this ceremony from all others: its record is written under it, once."""
        return str(self._state["mark"])

    @property
    def taken(self) -> int:
        """How many components are in."""
        return len(self._state["custodians"])

    def take(self, component: Component, witness: str) -> None:
        """Take a component in, before a second person; raises CeremonyError where somebody is there twice, or enough are in."""
        custodian, before = component.custodian, self._state
        if self.taken == COMPONENTS:
            raise CeremonyError(f"all {COMPONENTS} components are in: finish the ceremony")
        if as_said(custodian) in {*map(as_said, before["custodians"]), ""}:
            raise CeremonyError(
                f"{custodian or 'nobody'} gave a component already: another custodian must come"
            )
        if component.check_value.hex() in before["checks"]:
            raise CeremonyError(SAME_COMPONENT)
        if as_said(witness) in {as_said(custodian), ""}:
            raise CeremonyError("every step takes two people: name a second one")
        state = {
            "mark": before["mark"],
            "value": component.combined(before["value"]),
            "custodians": [*before["custodians"], custodian],
            "witnesses": [*before["witnesses"], witness],
            "checks": [*before["checks"], component.check_value.hex()],
        }
        self._file.write(state)
        self._state = state

    def finish(self, vault: KeyVault, name: KeyName, purpose: Purpose, at: UnixMs) -> CeremonyRecord:
        """Store the key, unless it is stored already, and say what happened; raises CeremonyError, KeyMisused. `forget` comes after the record."""
        if self.taken != COMPONENTS:
            raise CeremonyError(f"{self.taken} of {COMPONENTS} components are in: the others must come first")
        told = self._stored(vault, name) or vault.add_key(name, purpose, self._state["value"])
        custodians, witnesses, checks = (
            tuple(self._state[part]) for part in ("custodians", "witnesses", "checks")
        )
        return CeremonyRecord(
            name.label, name.version, at, custodians, witnesses, checks, told.check_value.hex()
        )

    def _stored(self, vault: KeyVault, name: KeyName) -> KeyInfo | None:
        """What the vault says of this very key, where a crash came between storing it and forgetting the state."""
        held = (one for one in vault.contents() if (one.label, one.version) == name)
        return next((one for one in held if one.check_value == check_value(self._state["value"])), None)

    def forget(self) -> None:
        """Let the state go: the key is in the vault, and its record stands."""
        self._file.path.unlink()
