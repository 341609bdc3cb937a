"""Which accounts a proposal moves. Pure.

| break | write-off | adjustment |
|---|---|---|
| a line in suspense | suspense ↔ fee income | suspense ↔ the account that is named |
| any other difference | our account at the bank ↔ fee income | our account at the bank ↔ the account that is named |

A positive difference (the bank shows more than the books have) debits the first account; a line in suspense leaves it by its own amount.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledger.chart import AccountId, Code, Partition, account_id, describe, split
from settlement.breaks.model import Reason
from settlement.breaks.proposals.kept import ProposalKind
from settlement.breaks.suspense.entries import bank_account, fee_account, sides, suspense_account
from settlement.errors import BreakRefused

if TYPE_CHECKING:
    from keys.money import Sen
    from settlement.breaks.kept import KeptBreak
    from settlement.breaks.proposals.kept import Proposal
    from settlement.breaks.suspense.kept import Suspended
    from settlement.participants import Participants

TARGETS: Final = (
    Code.MERCHANT_PAYABLE, Code.OPERATOR_PAYABLE, Code.AGENT_CASH, Code.SUBSIDY_RECEIVABLE, Code.FEE_INCOME, Code.SUSPENSE,
    Code.BANK_SETTLEMENT,
)  # fmt: skip
"""What an adjustment may go against: parties, banks and fee income. Cards have orders of their own."""
_OF_BANKS: Final = (Code.FEE_INCOME, Code.SUSPENSE, Code.BANK_SETTLEMENT)


@dataclass(frozen=True, slots=True)
class Draft:
    """A proposal before it has its number."""

    break_id: str
    kind: ProposalKind
    debit: AccountId
    credit: AccountId
    amount: Sen
    why: str


def target(code: str, number: int, participants: Participants) -> AccountId:
    """The account of the chart that a person names ("merchant payable", 501), where corrections stand.

    Raises BreakRefused; ParticipantUnknown for a party or bank that takes no part: no night could settle what it would be owed.
    """
    wanted = code.strip().upper().replace(" ", "_").replace("-", "_")
    found = next((one for one in TARGETS if one.name == wanted), None)
    if found is None:
        names = ", ".join(one.name.lower().replace("_", "-") for one in TARGETS)
        raise BreakRefused(f"{code[:40]!r} is no account that an adjustment goes against: one of {names}")
    if not 0 < number < 1 << 50:
        raise BreakRefused(f"no {found.name.lower().replace('_', ' ')} has number {number}")
    if found in _OF_BANKS:
        participants.bank(number)
    else:
        participants.party(found, number)
    return account_id(found, Partition(0), number)


def write_off(found: KeptBreak, inside: Suspended | None, why: str) -> Draft:
    """The city bears a difference, or keeps it. Raises BreakRefused where there is none."""
    return _draft(found, inside, ProposalKind.WRITE_OFF, fee_account(found.bank), why)


def adjustment(found: KeptBreak, inside: Suspended | None, against: AccountId, why: str) -> Draft:
    """The difference belongs to another account. Raises BreakRefused where that is where it is already."""
    return _draft(found, inside, ProposalKind.ADJUSTMENT, against, why)


def reversal(approved: Proposal, why: str) -> Draft:
    """An approved entry turned round."""
    return Draft(
        approved.break_id, ProposalKind.REVERSAL, approved.credit, approved.debit, approved.amount, why
    )


def _draft(
    found: KeptBreak, inside: Suspended | None, kind: ProposalKind, against: AccountId, why: str
) -> Draft:
    if found.reason is Reason.WRONG_BANK:
        raise BreakRefused(
            f"{found.break_id}: the money is at another bank than in the books, which no entry of one bank puts right: have it moved,"
            " then match each bank's own lines"
        )
    amount = inside.amount if inside is not None else found.difference
    if not amount:
        raise BreakRefused(f"{found.break_id} has no difference: there is nothing to post")
    own = bank_account(found.bank)
    if inside is not None:
        # Money that came in is owed: suspense has it as a credit, and is debited as it leaves.
        debit, credit, size = sides(suspense_account(found.bank), against, amount)
        own = suspense_account(found.bank)
    else:
        debit, credit, size = sides(own, against, amount)
    if against == own:
        raise BreakRefused(
            f"{describe(AccountId(own))} is where the difference stands already: name another account"
        )
    if split(debit).partition != split(credit).partition:
        raise BreakRefused(f"{describe(against)} lies in another partition than the bank's corrections")
    return Draft(found.break_id, kind, debit, credit, size, why)
