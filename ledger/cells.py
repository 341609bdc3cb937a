"""Where things stand in the balance engine's arrays: columns of a journal row, an account, a hold, and of what the kernel notes."""

from __future__ import annotations

from ledger.transfer import ROW

# Columns of a journal row.
_NAMES = list(ROW.names or ())
ROW_WIDTH = len(_NAMES)
DEBIT, CREDIT, AMOUNT, KIND, FLAGS, HOLD = (
    _NAMES.index(name) for name in ("debit", "credit", "amount", "kind", "flags", "hold")
)
RECEIVED_AT, BUSINESS_DATE = _NAMES.index("received_at"), _NAMES.index("business_date")
UID, TMC, TERMINAL, SEQUENCE = (_NAMES.index(name) for name in ("uid", "tmc", "terminal", "sequence"))

# Columns of an account, after its number: four sums, its rules, and what came in during the month that it last got something in.
# Eight integers are one line of the processor's cache.
DEBITS_POSTED, CREDITS_POSTED, DEBITS_PENDING, CREDITS_PENDING, RULES, MONTH, INCOMING = 1, 2, 3, 4, 5, 6, 7
ACCOUNT_WIDTH = 8
SUMS = 4
COMMITTED_WIDTH = SUMS + 1  # what readers see: sums and rules
# Columns of a hold, after its position, and last that of the row which posted or voided it (0: none, or a release before wrote it).
# A hold of a group that failed has no state.
STATE, HELD_DEBIT, HELD_CREDIT, HELD_AMOUNT, EXPIRES_AT, HELD_MONTH, RESOLVED_AT = 1, 2, 3, 4, 5, 6, 7
HOLD_WIDTH = 8
HOLD_PENDING, HOLD_POSTED, HOLD_VOIDED = 1, 2, 3
# Columns of what was located for a row: rows of its accounts, of its card's stream and its terminal's.
AT_DEBIT, AT_CREDIT, AT_CARD, AT_TERMINAL = 0, 1, 2, 3
LOCATED_WIDTH = 4
# Columns of what a linked group saves: both accounts, the hold that it resolves and that hold's state.
SAVED_HOLD, SAVED_STATE = 2 * ACCOUNT_WIDTH, 2 * ACCOUNT_WIDTH + 1
SAVED_WIDTH = 2 * ACCOUNT_WIDTH + 2
