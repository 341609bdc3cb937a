"""What an export holds: every file with its SHA-256, and the journal's head. One spelling, so that the manifest's bytes decide too."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from ledger.errors import ExportDamaged

if TYPE_CHECKING:
    from pathlib import Path

NAME: Final = "manifest.json"
FORMAT: Final = "ksh-export-1"
MANIFEST_BYTES_MAX: Final = 64 << 20
_PATH: Final = re.compile(r"(journal/\d{4}-\d{2}-\d{2}|tables)/[a-z_]+-\d{5}\.(parquet|csv)")
_READ_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Part:
    """One file: rows of one table, in the order of its key."""

    path: str
    table: str
    rows: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """An export; `complete` ones in Parquet can be taken in again. `head` is the digest of the newest block, in hexadecimal digits."""

    format: str
    schema: int
    kind: str
    complete: bool
    block: int
    position: int
    head: str
    parts: tuple[Part, ...]

    def encode(self) -> bytes:
        """The manifest's bytes."""
        return (json.dumps(asdict(self), indent=1) + "\n").encode()


def read(folder: Path) -> Manifest:
    """The manifest of an export; raises ExportDamaged where there is none, or one that `encode` would not have written."""
    try:
        with (folder / NAME).open("rb") as file:
            data = file.read(MANIFEST_BYTES_MAX)
        told = json.loads(data)
        told["parts"] = tuple(Part(**part) for part in told["parts"])
        found = Manifest(**told)
    except OSError as error:
        raise ExportDamaged(f"{NAME} of the export cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ExportDamaged(f"{NAME} is no manifest of an export: export again") from None
    if found.format != FORMAT or found.encode() != data:
        raise ExportDamaged(f"{NAME} is not as an export writes it: it was changed, or is of another release")
    for part in found.parts:
        if not _PATH.fullmatch(part.path):
            raise ExportDamaged(f"{NAME} names the file {part.path[:80]!r}, which no export writes")
    return found


def check(folder: Path, part: Part) -> None:
    """Raise ExportDamaged, naming the file, where it is not what the manifest says."""
    path, digest, size = folder / part.path, hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_READ_BYTES):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise ExportDamaged(f"{part.path} cannot be read: {error.strerror}") from None
    if (size, digest.hexdigest()) != (part.bytes, part.sha256):
        raise ExportDamaged(f"{part.path} is not what was exported: take the export from its source again")


def strangers(folder: Path, manifest: Manifest) -> list[str]:
    """Files in the folder that the manifest does not name."""
    known = {NAME, *(part.path for part in manifest.parts)}
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    return sorted(set(found) - known)
