"""Which rows of the journal make positions: by the kinds of their two accounts.

| purpose | rows (debit > credit) | bank |
|---|---|---|
| TAPS | purse, wallet or suspense > payable of an operator or merchant | the purse's issuer |
| SUBSIDY | subsidy receivable > operator payable | the city's treasury bank |
| CASH | cash at the agent > purse or wallet | the purse's issuer |
| CASH | subsidy receivable > suspense or our account at a bank | that bank |
| OTHERS_CARDS | receivable from an issuer > payable of an operator or merchant | that issuer |

The reverse direction is a refund. Wherever a purse's issuer is named, suspense or our account at a bank may stand in its place: an adjustment, which
that bank pays.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np

from ledger.chart import Code
from ledger.transfer import Flag, Kind
from settlement.positions.model import Purpose

CODES: Final = 128
PAYABLES: Final = (Code.OPERATOR_PAYABLE, Code.MERCHANT_PAYABLE)
VALUE: Final = (Code.PURSE, Code.WALLET)
_BY_BANK: Final = (Code.SUSPENSE, Code.BANK_SETTLEMENT)
_TO_SETTLE: Final = (*PAYABLES, Code.AGENT_CASH, Code.SUBSIDY_RECEIVABLE, Code.ISSUER_RECEIVABLE)
SETTLEMENT_KINDS: Final = (
    Kind.FEE, Kind.PAYOUT, Kind.DEPOSIT, Kind.SUBSIDY_PAID, Kind.INTERBANK, Kind.ISSUER_PAID,
)  # fmt: skip
"""Kinds of settlement's own entries; orders of partners have some of them too, between other accounts."""
_SETTLED_WITH: Final = (Code.BANK_SETTLEMENT, Code.FEE_INCOME, Code.INTERBANK)
UNPOSTED: Final = int(Flag.UNPOSTED)

NONE: Final = 0
UNCLEAR: Final = -1
"""What a row is that touches what is settled, and no flow covers."""


class Flow(NamedTuple):
    """How the rows of a purpose look: a party's account, and the account on the other side."""

    purpose: Purpose
    party: tuple[Code, ...]
    other: tuple[Code, ...]
    party_credited: bool  # forward; the reverse is a refund


FLOWS: Final = (
    Flow(Purpose.TAPS, PAYABLES, (*VALUE, *_BY_BANK), party_credited=True),
    Flow(Purpose.SUBSIDY, (Code.OPERATOR_PAYABLE,), (Code.SUBSIDY_RECEIVABLE,), party_credited=True),
    Flow(Purpose.CASH, (Code.AGENT_CASH,), (*VALUE, *_BY_BANK), party_credited=False),
    Flow(Purpose.CASH, (Code.SUBSIDY_RECEIVABLE,), _BY_BANK, party_credited=False),
    Flow(Purpose.OTHERS_CARDS, PAYABLES, (Code.ISSUER_RECEIVABLE,), party_credited=True),
)


def table() -> np.ndarray[tuple[int], np.dtype[np.int8]]:
    """By debit's code x CODES + credit's code: 4 x purpose + 2 (party credited) + 1 (refund), NONE, or UNCLEAR."""
    found = np.zeros((CODES, CODES), np.int8)
    found[list(_TO_SETTLE), :] = found[:, list(_TO_SETTLE)] = UNCLEAR
    for flow in FLOWS:
        for party in flow.party:
            for other in flow.other:
                for credited in (True, False):
                    debit, credit = (other, party) if credited else (party, other)
                    found[debit, credit] = 4 * flow.purpose + 2 * credited + (credited != flow.party_credited)
    return found.reshape(-1)


def own_kinds() -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """By kind: whether settlement's entries have it."""
    found = np.zeros(256, np.bool_)
    found[list(SETTLEMENT_KINDS)] = True
    return found


def settled_with() -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """By debit's code x CODES + credit's code: whether settlement's entries lie between such accounts. None moves what holders have."""
    found = np.zeros((CODES, CODES), np.bool_)
    found[list(_SETTLED_WITH), :] = found[:, list(_SETTLED_WITH)] = True
    found[list(VALUE), :] = found[:, list(VALUE)] = False
    return found.reshape(-1)
