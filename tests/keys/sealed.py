"""What a guess at a sealed file costs, as its own header says: for tests that look at every such file of a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import cbor2

if TYPE_CHECKING:
    from pathlib import Path


class Sealed(NamedTuple):
    """A sealed file's name, its kind, scrypt's N, and how many bytes of salt it has."""

    name: str
    kind: str
    cost: int
    salt: int


def sealed_in(folder: Path) -> list[Sealed]:
    """Every file under a folder that only a passphrase opens, by name."""
    found = []
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        try:
            (kind, cost, salt, _), _, _ = cbor2.loads(path.read_bytes())
        except (ValueError, TypeError, LookupError, cbor2.CBORDecodeError):
            continue
        if isinstance(kind, str) and kind.startswith("ksh-"):
            found.append(Sealed(path.name, kind, cost, len(salt)))
    return found
