"""Errors as HTTP says them: RFC 9457 problem details. The one place where the ledger's errors meet status codes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

from ledger import errors

CONTENT_TYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = 1


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document; `type` is relative to the documentation of this API."""

    type: str
    title: str
    status: int
    detail: str

    def as_json(self) -> dict[str, object]:
        """The document's members."""
        return asdict(self)


_STATUS: Final[dict[type[errors.LedgerError], tuple[int, str]]] = {
    errors.BatchTooLarge: (413, "Batch too large"),
    errors.BatchMalformed: (400, "Not a batch"),
    errors.SignatureRefused: (401, "Signature refused"),
    errors.TerminalUnknown: (403, "Terminal unknown"),
    errors.BatchOutOfOrder: (409, "Batch out of order"),
    errors.BatchConflict: (409, "Batch conflict"),
    errors.EnrolmentRefused: (403, "Enrolment refused"),
    errors.LoadRefused: (422, "Load refused"),
    errors.LoadSessionGone: (410, "Load session gone"),
    errors.LoadStepRefused: (409, "Load step refused"),
    errors.AccountUnknown: (404, "Account unknown"),
    errors.BlockRefused: (409, "Block refused"),
    errors.BundleUnknown: (404, "Bundle unknown"),
    errors.WindowClosed: (409, "Window closed"),
    errors.Overloaded: (429, "Too many units waiting"),
    errors.StorageError: (503, "Ledger not available"),
}


def problem_of(error: errors.LedgerError) -> Problem:
    """The problem document of an error; the most specific entry wins."""
    for kind in type(error).__mro__:
        if kind in _STATUS:
            status, title = _STATUS[kind]
            return Problem(f"/problems/{title.lower().replace(' ', '-')}", title, status, str(error))
    return Problem("/problems/ledger-error", "Ledger error", 500, str(error))
