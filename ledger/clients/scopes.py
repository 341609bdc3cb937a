"""What a client may do, and for whom."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ledger.chart import AccountId, Code, split
from ledger.errors import ClientUnknown


class Scope(StrEnum):
    """A right of a client."""

    ACCOUNTS = "accounts"  # look at balances and statements
    BOOKS = "books"  # look at the trial balance
    CREDITS = "credits"  # put money into wallets
    DEBITS = "debits"  # take money from wallets
    HOLDS = "holds"  # reserve money of wallets, take it or give it back
    METRICS = "metrics"  # scrape the metrics
    PROOFS = "proofs"  # have proofs made
    WALLETS = "wallets"  # act for holders: transfers between wallets, payments by QR
    WORKLIST = "worklist"  # look at quarantine and exceptions


class PartyKind(StrEnum):
    """Who can stand on the other side of a wallet."""

    MERCHANT = "merchant"
    OPERATOR = "operator"
    BANK = "bank"
    AGENT = "agent"


CODES: Final = {
    PartyKind.MERCHANT: Code.MERCHANT_PAYABLE,
    PartyKind.OPERATOR: Code.OPERATOR_PAYABLE,
    PartyKind.BANK: Code.BANK_SETTLEMENT,
    PartyKind.AGENT: Code.AGENT_CASH,
}


@dataclass(frozen=True, slots=True)
class Party:
    """A merchant, an operator, a bank or an agent, by number; written `merchant:502`."""

    kind: PartyKind
    number: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.number}"

    def owns(self, account: AccountId) -> bool:
        """True for this party's sub-accounts."""
        name = split(account)
        return name.code is CODES[self.kind] and name.number == self.number

    @classmethod
    def read(cls, text: str) -> Party:
        """A party as it is written; raises ClientUnknown where it is none."""
        kind, _, number = text.partition(":")
        if kind not in set(PartyKind) or not number.isascii() or not number.isdigit() or len(number) > 12:  # noqa: PLR2004
            raise ClientUnknown(
                f"{text!r:.60} is no party: write it as merchant:502, operator:11, bank:9 or agent:701"
            )
        return cls(PartyKind(kind), int(number))


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody with a token: a partner's system or a member of staff.

    `party`, where there is one, is the only one whose money the client moves and whose accounts it sees.
    """

    name: str
    scopes: frozenset[Scope]
    party: Party | None = None

    def may(self, scope: Scope) -> bool:
        """True where the client has this right."""
        return scope in self.scopes
