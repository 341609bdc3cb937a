"""Rows of disputes, personal data and replaced cards."""

from ledger.cardholder.records.store import (
    DisputeRow,
    HolderRow,
    ReplacementRow,
    add_dispute,
    add_replacement,
    all_disputes,
    answer,
    dispute_at,
    disputes_of,
    disputes_under,
    holder_of,
    holders_since,
    put_holder,
    replaced_by,
    replacement_of,
    set_registered,
)

__all__ = [
    "DisputeRow",
    "HolderRow",
    "ReplacementRow",
    "add_dispute",
    "add_replacement",
    "all_disputes",
    "answer",
    "dispute_at",
    "disputes_of",
    "disputes_under",
    "holder_of",
    "holders_since",
    "put_holder",
    "replaced_by",
    "replacement_of",
    "set_registered",
]
