"""What happened in the key room, signed; and what is about to happen, so that a crash between a change and its record costs no record.

A change is announced in a signed file before it is made. Whoever opens the room next looks whether it took effect, and writes its one record, or takes
the announcement back.
"""

from __future__ import annotations

import fcntl
import json
import secrets
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from keys import ceremony
from keys.ceremony import CeremonyRecord
from keys.envelope import parse, seal
from keys.errors import EnvelopeError, KeyMissing, KeysError
from keys.sealedfile import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hebat.folder import Folder
    from keys.vault import KeyInfo, KeyVault

ROLL: Final = "roll"
RETIRE: Final = "retire"
CEREMONY: Final = "ceremony"
KEY_ROOM: Final = "key-room"
"""Label of the key that signs records where the vault has no authority yet."""
_COMING: Final = "coming.cose"
_ANNOUNCED: Final = "announced "


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one key's state, with the people who make it; the mark tells it from all others."""

    what: str
    record: CeremonyRecord
    mark: str

    def made(self, vault: KeyVault) -> KeyInfo | None:
        """What the vault says of the key where the change took effect; None where it did not."""
        name = (self.record.role, self.record.version)
        held = next((one for one in vault.contents() if (one.label, one.version) == name), None)
        return None if held is None or (self.what == RETIRE and held.retired is None) else held

    def names(self, what: str, label: str, version: int | None = None) -> bool:
        """True where this is that change of that key; without a version, of any."""
        return (self.what, self.record.role) == (what, label) and version in {None, self.record.version}


@contextmanager
def room(folder: Folder) -> Iterator[None]:
    """The key room, for one at a time; whoever dies in it leaves it open."""
    with _place(folder).with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def announced(folder: Folder, vault: KeyVault, what: str, record: CeremonyRecord) -> Iterator[None]:
    """Around a change: what is about to happen is said first, durably, and taken back where the vault refuses. Inside the room, once `finish` has looked."""
    change = Change(what, record, secrets.token_hex(4))
    if change.made(vault) is None:  # what is so already the vault refuses by itself
        announce(folder, vault, change)
    try:
        yield
    except KeysError:
        forget(folder)
        raise


def announce(folder: Folder, vault: KeyVault, change: Change) -> None:
    """Write a change down before it is made."""
    text = asdict(change.record) | {"what": _ANNOUNCED + change.what, "mark": change.mark}
    write_atomically(_place(folder) / _COMING, _signed(vault, text))


def finish(folder: Folder, vault: KeyVault) -> Change | None:
    """Bring what a crash broke off to its end: the change whose record was written now (or before), None where there is none."""
    change = _under_way(folder, vault)
    if change is None:
        return None
    told = change.made(vault)
    if told is None:
        forget(folder)
        return None
    done = replace(change, record=replace(change.record, check_value=told.check_value.hex()))
    keep(folder, vault, done)
    forget(folder)
    return done


def keep(folder: Folder, vault: KeyVault, change: Change) -> Path:
    """Sign what happened, with the vault's state, into the folder's records; once for a mark."""
    place = _place(folder)
    written = next(place.glob(f"*-{change.what}-{change.mark}.cose"), None)
    if written is not None:
        return written
    state = vault.record()
    text = asdict(change.record) | {
        "what": change.what, "generation": state.generation, "digest": state.digest.hex(),
    }  # fmt: skip
    path = place / f"{state.generation:06d}-{change.what}-{change.mark}.cose"
    write_atomically(path, _signed(vault, text))
    return path


def forget(folder: Folder) -> None:
    """Nothing is under way any more."""
    (_place(folder) / _COMING).unlink(missing_ok=True)


def _place(folder: Folder) -> Path:
    path = folder.root / "key-records"
    path.mkdir(exist_ok=True, mode=0o700)
    return path


def _under_way(folder: Folder, vault: KeyVault) -> Change | None:
    """What was announced, by this vault; what anybody else left there counts for nothing."""
    path = _place(folder) / _COMING
    if not path.exists():
        return None
    try:
        text: dict[str, Any] = json.loads(parse(path.read_bytes()).verify(vault.public_key(_signer(vault))))
        what, mark = text.pop("what"), text.pop("mark")
        record = CeremonyRecord(**{name: _plain(value) for name, value in text.items()})
    except (EnvelopeError, KeyMissing, ValueError, TypeError, KeyError):
        return None
    return Change(what.removeprefix(_ANNOUNCED), record, mark) if what.startswith(_ANNOUNCED) else None


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _signed(vault: KeyVault, text: dict[str, Any]) -> bytes:
    label = _signer(vault)
    if label not in {one.label for one in vault.contents()}:
        vault.generate_signing_key(label)
    return seal(
        json.dumps(text, sort_keys=True).encode(),
        kid=vault.public_key(label)[:8],
        sign=lambda message: vault.sign(label, message),
        content_type=ceremony.RECORD_CONTENT_TYPE,
    )


def _signer(vault: KeyVault) -> str:
    """The city's authority; before there is one, the key room's own key: a token gets the city's once it can be backed up, or restored."""
    from hebat.founding import AUTHORITY_LABEL  # noqa: PLC0415  SQLAlchemy loads only where it is needed

    return AUTHORITY_LABEL if any(one.label == AUTHORITY_LABEL for one in vault.contents()) else KEY_ROOM
