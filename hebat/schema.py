"""The tables of a whole city, package by package: what a new ledger gets beside its own, and what an export carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ledger.bundles import tables as bundle_tables
from ledger.cardholder import tables as cardholder_tables
from ledger.clients import tables as client_tables
from ledger.history import tables as history_tables
from ledger.intake import tables as intake_tables
from ledger.journeys import tables as journey_tables
from ledger.orders import tables as order_tables
from ledger.proofs import tables as proof_tables
from ledger.wallets import tables as wallet_tables
from settlement import tables as settlement_tables
from settlement.banks import tables as bank_tables
from settlement.breaks import tables as break_tables
from settlement.matching import tables as match_tables
from settlement.saving import tables as saving_tables
from settlement.staff import tables as staff_tables

if TYPE_CHECKING:
    from ledger.store import TableSet

TABLES: Final[tuple[TableSet, ...]] = (
    intake_tables.metadata, bundle_tables.metadata, client_tables.metadata, order_tables.metadata, settlement_tables.metadata, proof_tables.metadata,
    bank_tables.metadata, wallet_tables.metadata, saving_tables.metadata,
    history_tables.metadata, journey_tables.metadata, staff_tables.metadata, cardholder_tables.metadata, match_tables.metadata,
    break_tables.metadata,
)  # fmt: skip

CHANGED: Final = {
    **dict.fromkeys(
        (
            "bank_payments", "bank_sequences", "card_blocks", "cards", "clients", "disputes", "known_counters", "loads", "meta", "page_tokens",
            "payment_releases", "phone_taps", "quarantine", "settlement_breaks", "settlement_disputes", "settlement_generations",
            "settlement_matching_items", "settlement_matching_lines", "settlement_matchings", "settlement_proposals",
            "settlement_suggestions", "settlement_suspense", "staff", "terminals", "wallet_loads", "wallet_transfers",
        ),
        "UPDATE",
    ),
    **dict.fromkeys(
        (
            "account_pages", "history_marks", "holders", "journeys_read", "order_answers", "payment_outcomes", "payment_reports",
            "saving_checks", "saving_links", "saving_mirrors", "screen_codes", "settlement_refused_pairs", "snapshot_chunks", "snapshots",
            "staff_attempts", "staff_recovery_codes", "statement_files", "vault_records", "wallet_standing",
        ),
        "DELETE",
    ),
    **dict.fromkeys(("card_pins", "invitations", "staff_sessions"), "UPDATE, DELETE"),
}  # fmt: skip
"""What a server does to rows beside adding and reading them; to all other tables, the journal's among them, it may not."""
KEPT: Final = ("archives", "alembic_version")
"""Tables to which the owner alone adds, by archiving and upgrading."""
