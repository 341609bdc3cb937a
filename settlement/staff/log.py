"""The log of staff: append-only, each entry chained to the one before by SHA-256, as the journal's blocks are.

An entry says who did what to what, when, and from where; refusals and sign-ins too. It never holds a password, a code or a session.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from settlement.errors import StaffLogBroken

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keys.clock import UnixMs

FIRST: Final = bytes(32)
"""What the first entry is chained to."""
SUBJECT_CHARACTERS_MAX: Final = 140
DETAIL_CHARACTERS_MAX: Final = 4000


@dataclass(frozen=True, slots=True)
class Said:
    """What is to be logged: who (a member of staff, or `shell:USER`), from which address, did what to what."""

    who: str
    address: str
    action: str
    subject: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A logged entry in its place in the chain."""

    number: int
    at: UnixMs
    said: Said
    previous: bytes
    digest: bytes


def digest_of(number: int, at: UnixMs, said: Said, previous: bytes) -> bytes:
    """The digest that chains an entry: SHA-256 over the one before and the entry as canonical JSON."""
    told = [number, at, said.who, said.address, said.action, said.subject, said.detail]
    return hashlib.sha256(previous + json.dumps(told, separators=(",", ":")).encode()).digest()


def next_entry(last: Entry | None, at: UnixMs, said: Said) -> Entry:
    """The entry that follows; texts are cut to what the table holds."""
    cut = Said(
        said.who[:60], said.address[:80], said.action[:40], said.subject[:SUBJECT_CHARACTERS_MAX],
        said.detail[:DETAIL_CHARACTERS_MAX],
    )  # fmt: skip
    number, previous = (last.number + 1, last.digest) if last else (1, FIRST)
    return Entry(number, at, cut, previous, digest_of(number, at, cut, previous))


def verified(entries: Iterable[Entry]) -> tuple[int, bytes]:
    """How many entries there are, and the last digest; raises StaffLogBroken at the first that does not fit."""
    count, head = 0, FIRST
    for entry in entries:
        whole = digest_of(entry.number, entry.at, entry.said, entry.previous)
        if (entry.number, entry.previous, entry.digest) != (count + 1, head, whole):
            raise StaffLogBroken(
                f"entry {entry.number} of the staff's log is not the one that was written, or one before it is gone"
            )
        count, head = entry.number, entry.digest
    return count, head
