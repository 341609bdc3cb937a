"""Fares: pure functions over a card's identity and journey, and a dated, immutable tariff."""

from terminals.fares.flat import FareDecision, FareRefused, Place, decide, need_in_date
from terminals.fares.gated import tap_in, tap_out
from terminals.fares.tariff import TRANS_SEMARANG_2022, Tariff

__all__ = [
    "TRANS_SEMARANG_2022",
    "FareDecision",
    "FareRefused",
    "Place",
    "Tariff",
    "decide",
    "need_in_date",
    "tap_in",
    "tap_out",
]
