"""Matches, suggestions and lines as commands write them for machines, and a line's place as people type it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hebat.errors import InputRefused
from keys.clock import date_of

if TYPE_CHECKING:
    from settlement.matching.kept import KeptMatch, Suggestion
    from settlement.statements.kept import LineKey


def line_key(text: str) -> LineKey:
    """A line's place from its text; raises InputRefused."""
    from settlement.statements.kept import LineKey  # noqa: PLC0415  loads with SQLAlchemy

    digest, _, rest = text.partition("/")
    statement, _, number = rest.partition("/")
    if len(digest) != 64 or not (statement.isdecimal() and number.isdecimal()):  # noqa: PLR2004  SHA-256
        raise InputRefused(f"{text[:80]!r} is no line: digest/statement/number, as `breaks show` prints it")
    return LineKey(digest, int(statement), int(number))


def key_text(line: LineKey) -> str:
    """A line's place as text: digest/statement/number."""
    return f"{line.sha256}/{line.statement}/{line.number}"


def match_json(one: KeptMatch) -> dict[str, Any]:
    """A match for machines: amounts in sen, times in Unix milliseconds."""
    return {
        "match": one.number, "bank": one.bank, "items": list(one.items), "lines": [key_text(line) for line in one.lines], "rule": one.rule,
        "rules": one.rules, "confidence": one.confidence, "difference": one.difference, "evidence": one.evidence,
        "night": date_of(one.night).isoformat(), "made_by": one.made_by, "made_at": one.made_at, "proposal": one.proposal,
        "undone_by": one.undone_by, "undone_at": one.undone_at, "undone_why": one.undone_why,
    }  # fmt: skip


def suggestion_json(one: Suggestion) -> dict[str, Any]:
    """A suggestion for machines; the score is in percent."""
    return {
        "suggestion": one.number, "item": one.reference, "line": key_text(one.line), "score": one.score, "evidence": one.evidence,
        "state": one.state.value,
    }  # fmt: skip
