"""Why a record was not posted, and what a posted one left to explain."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What became of a record."""

    POSTED = "posted"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"


class Reason(StrEnum):
    """Why a record is in quarantine."""

    MALFORMED = "malformed"
    CARD_UNKNOWN = "card_unknown"
    TMV_WRONG = "tmv_wrong"
    EVIDENCE_MISMATCH = "evidence_mismatch"
    ROLE_FORBIDDEN = "role_forbidden"
    OVER_DAILY_LIMIT = "over_daily_limit"
    OUTSIDE_VALIDITY = "outside_validity"
    CONFLICT = "conflict"
    UNCONFIRMED = "unconfirmed"
    NOT_APPLIED = "not_applied"


class Resolution(StrEnum):
    """How a quarantined record was settled."""

    WITNESSED = "witnessed"
    VOIDED = "voided"


class ExceptionKind(StrEnum):
    """What a posted record leaves to explain."""

    NEGATIVE_SHADOW = "negative_shadow"
    CLONE_OR_REPLAY = "clone_or_replay"
    LOAD_UNAUTHORISED = "load_unauthorised"
    INTENT_SETTLED = "intent_settled"
    INTENT_VOIDED = "intent_voided"
    CARD_BLOCKED = "card_blocked"
    CARD_LOCKED = "card_locked"
    RIGHT_MISSING = "right_missing"
    OVER_DAILY_LIMIT = "over_daily_limit"
    OUTSIDE_AREA = "outside_area"
    OUTSIDE_VALIDITY = "outside_validity"
    CLOCK_WRONG = "clock_wrong"
    CHAIN_BROKEN = "chain_broken"
    RULE_BROKEN = "rule_broken"
    COUNTER_MISSING = "counter_missing"
