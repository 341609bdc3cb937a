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
