"""Fares: pure functions over a card's identity and journey, and a dated, immutable tariff."""

from terminals.fares.decision import CardBlocked, FareDecision, FareRefused, Place, Step
from terminals.fares.flat import TRANS_SEMARANG_2022, flat_tariff
from terminals.fares.rider import need_in_date
from terminals.fares.rides import decide, tap_in, tap_out, unfinished
from terminals.fares.tariff import Tariff

__all__ = [
    "TRANS_SEMARANG_2022",
    "CardBlocked",
    "FareDecision",
    "FareRefused",
    "Place",
    "Step",
    "Tariff",
    "decide",
    "flat_tariff",
    "need_in_date",
    "tap_in",
    "tap_out",
    "unfinished",
]
