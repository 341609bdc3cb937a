"""A page of the rulebook: what somebody decided, why, and when. A later version replaces an earlier one, and both stay."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from settlement.errors import RuleRefused

if TYPE_CHECKING:
    from keys.clock import UnixMs

NAME_CHARACTERS_MAX: Final = 60
AUTHOR_CHARACTERS_MAX: Final = 80
REASON_CHARACTERS_MAX: Final = 500
CONTENT_CHARACTERS_MAX: Final = 20_000
VERSIONS_MAX: Final = 10_000


class RuleKind(StrEnum):
    """What a page is about."""

    BANK_DAY = "bank day"
    RAIL = "rail"
    MAPPING = "mapping"
    PAYMENT_TEMPLATE = "payment template"
    DIALECT = "dialect"
    MATCHING = "matching"
    PARTICIPANT = "participant"
    FEES = "fees"
    CUT_OFF = "cut-off"
    WRITE_OFF = "write-off limit"


@dataclass(frozen=True, slots=True)
class Page:
    """One version of a rule: JSON content, who wrote it and why. Versions of a name count from 1."""

    kind: RuleKind
    name: str
    version: int
    content: str
    author: str
    reason: str
    made_at: UnixMs

    @property
    def told(self) -> Any:
        """The content as JSON values."""
        return json.loads(self.content)


def checked(name: str, content: Any, author: str, reason: str) -> str:
    """The content as canonical JSON, if all of a page is as it must be; raises RuleRefused."""
    for label, text, most in (
        ("name", name, NAME_CHARACTERS_MAX),
        ("author", author, AUTHOR_CHARACTERS_MAX),
        ("reason", reason, REASON_CHARACTERS_MAX),
    ):
        if not (0 < len(text) <= most and text.isprintable() and text.strip() == text):
            raise RuleRefused(f"{text[:40]!r} is no {label} of a rule: 1 to {most} printable characters")
    written = json.dumps(content, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    if len(written) > CONTENT_CHARACTERS_MAX:
        raise RuleRefused(f"a rule of {len(written)} characters: {CONTENT_CHARACTERS_MAX} are allowed")
    return written
