"""Cash up: compare what a shift counted with what the ledger's books have of the same records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cbor2

from card.batch import SHIFT_CONTENT_TYPE
from keys.money import Rupiah
from terminals.errors import UploadRefused
from terminals.shifts import CASH, OPEN, Line

if TYPE_CHECKING:
    from keys.clock import UnixMs
    from terminals.shifts import Shift
    from terminals.upload import Link

_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Compared:
    """A shift against the books: the books' lines, the kinds that differ, records that are kept or did not arrive."""

    books: tuple[Line, ...]
    differs: tuple[str, ...]
    kept: int
    missing: int

    @property
    def agrees(self) -> bool:
        """True where every rupiah of the shift is in the books, and nothing else."""
        return not (self.differs or self.kept or self.missing)


def ask(link: Link, shift: Shift, at: UnixMs) -> Compared:
    """Ask the ledger for its figures of a closed shift; raises Offline, UploadRefused."""
    question = cbor2.dumps([shift.first, shift.last, at, *shift.requests], canonical=True)
    return compare(shift, link.post_signed("/v1/shifts", question, SHIFT_CONTENT_TYPE))


def compare(shift: Shift, answer: Any) -> Compared:
    """A shift against the ledger's answer; raises UploadRefused where that is none."""
    try:
        books = tuple(
            Line(str(one["kind"]), _whole(one["count"]), Rupiah(_whole(one["amount"])))
            for one in answer["lines"]
        )
        kept, missing = _whole(answer["kept"]), _whole(answer["missing"])
    except (KeyError, TypeError, ValueError):
        raise UploadRefused(_OK, "the answer holds no figures: is this a ledger's address?") from None
    ours = {line.kind: line for line in shift.lines if line.kind not in {CASH, OPEN}}
    theirs = {line.kind: line for line in books}
    differs = tuple(
        sorted(kind for kind in ours.keys() | theirs.keys() if ours.get(kind) != theirs.get(kind))
    )
    return Compared(books, differs, kept, missing)


def _whole(value: Any) -> int:
    if type(value) is not int:  # no float ever touches an amount, an endless one least of all
        raise TypeError
    return value
