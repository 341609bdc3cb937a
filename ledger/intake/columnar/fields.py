"""The columns of a batch's records: the first index of an array of 64-bit integers, the second is the record's place."""

from __future__ import annotations

from typing import Final

# Of the record, as its terminal says it: values, and where its bytes stand.
PLAIN: Final = 0
"""1 where all columns hold; 0 where the record is for the slow path."""
KIND: Final = 1
UID: Final = 2
UID_AT: Final = 3
TMC: Final = 4
TMV_AT: Final = 5
TMI_AT: Final = 6
TMI_END: Final = 7
AMOUNT: Final = 8
OCCURRED_AT: Final = 9
SEEN_TMC: Final = 10
SEEN_AT: Final = 11
SEEN_END: Final = 12
ROUTE_AT: Final = 13
ROUTE_END: Final = 14
STOP_AT: Final = 15
STOP_END: Final = 16
FARE_AT: Final = 17
"""Tariff and rules, as they stand in the record."""
FARE_END: Final = 18
GROUP: Final = 19
AUTHORISATION: Final = 20

# Of the Transaction MAC Input, as the chip signed it.
CARD_NUMBER: Final = 21
CONCESSION: Final = 22
IDENTITY_AT: Final = 23
MOVED: Final = 24
SIGNED_KIND: Final = 25
PAID: Final = 26
BALANCE_AFTER: Final = 27
SIGNED_AT: Final = 28
TERMINAL: Final = 29
SEQUENCE: Final = 30
ROUTE: Final = 31
"""Upper half of the log record's reference."""

WIDTH: Final = 32
