"""Who takes part: banks that issue cards, operators, merchants, load agents, and the city.

Numbers are the ledger's account numbers (`ledger.chart`): a merchant's payable carries the merchant's number, our account
at a bank carries the bank's code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from keys.quoting import quoted
from ledger.chart import Code
from ledger.qris.classes import MerchantClass as MerchantClass  # noqa: PLC0414, TC001  known by this name here too
from settlement.errors import ParticipantInvalid, ParticipantUnknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_Participant = TypeVar("_Participant", bound="Bank | Party")

NAME_CHARACTERS_MAX = 70
"""What banks print of a name; ISO 20022 allows 140."""
_BIC = re.compile(r"[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?")  # ISO 9362
_ACCOUNT = re.compile(r"[0-9A-Za-z]{1,34}")


@dataclass(frozen=True, slots=True)
class Bank:
    """A partner bank: its 4-digit issuer number on cards, its BIC, and our settlement account there."""

    code: int
    name: str
    bic: str
    account: str

    def __post_init__(self) -> None:
        """Raises ParticipantInvalid."""
        if not 0 < self.code <= 9999:  # noqa: PLR2004  four digits
            raise ParticipantInvalid(
                f"bank {quoted(self.name)} has code {quoted(self.code)}: it must have four digits"
            )
        if not _BIC.fullmatch(self.bic):
            raise ParticipantInvalid(
                f"bank {quoted(self.name)} has BIC {quoted(self.bic)}: 8 or 11 characters of ISO 9362"
            )
        _check(self.name, self.account)


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody who is paid, or pays: `bank` is the code of the bank that holds `account`."""

    number: int
    name: str
    bank: int
    account: str

    def __post_init__(self) -> None:
        """Raises ParticipantInvalid."""
        if self.number <= 0:
            raise ParticipantInvalid(
                f"{quoted(self.name)} has number {quoted(self.number)}: numbers start from 1"
            )
        _check(self.name, self.account)


@dataclass(frozen=True, slots=True)
class Operator(Party):
    """A bus operator."""


@dataclass(frozen=True, slots=True)
class Merchant(Party):
    """A shop, market stall or office; `merchant_class` decides its discount rate."""

    merchant_class: MerchantClass


@dataclass(frozen=True, slots=True)
class Agent(Party):
    """The owner of load kiosks, who holds the cash that cardholders paid in."""


@dataclass(frozen=True, slots=True)
class City(Party):
    """The city, which pays subsidies; `bank` is its treasury's bank, whose settlement account of ours it pays into."""


def _check(name: str, account: str) -> None:
    if not (0 < len(name) <= NAME_CHARACTERS_MAX and name.isprintable() and name.strip() == name):
        raise ParticipantInvalid(
            f"{quoted(name)} is no name for a bank: 1 to {NAME_CHARACTERS_MAX} printable characters"
        )
    if not _ACCOUNT.fullmatch(account):
        raise ParticipantInvalid(f"account {quoted(account)} of {name}: 1 to 34 letters and digits")


class Participants:
    """All parties of a city; immutable once made.

    Raises ParticipantInvalid where a number occurs twice, or a party's bank is none of `banks`.
    """

    def __init__(
        self,
        *,
        banks: Iterable[Bank],
        operators: Iterable[Operator],
        merchants: Iterable[Merchant],
        agents: Iterable[Agent],
        city: City,
    ) -> None:
        self.banks: Mapping[int, Bank] = {bank.code: bank for bank in _unique(banks, "code")}
        self.operators: Mapping[int, Operator] = {
            party.number: party for party in _unique(operators, "number")
        }
        self.merchants: Mapping[int, Merchant] = {
            party.number: party for party in _unique(merchants, "number")
        }
        self.agents: Mapping[int, Agent] = {party.number: party for party in _unique(agents, "number")}
        self.city = city
        self._parties: dict[Code, Mapping[int, Party]] = {
            Code.OPERATOR_PAYABLE: self.operators,
            Code.MERCHANT_PAYABLE: self.merchants,
            Code.AGENT_CASH: self.agents,
            Code.SUBSIDY_RECEIVABLE: {city.number: city},
        }
        # A bank as a party is our own account there: the net between banks is paid to it.
        ours = {
            bank.code: Party(bank.code, bank.name, bank.code, bank.account) for bank in self.banks.values()
        }
        self._parties |= {Code.BANK_SETTLEMENT: ours, Code.ISSUER_RECEIVABLE: ours}
        self._need_banks()

    def _need_banks(self) -> None:
        for parties in self._parties.values():
            for party in parties.values():
                if party.bank not in self.banks:
                    raise ParticipantInvalid(
                        f"{party.name} is at bank {party.bank:04d}, which is no participant"
                    )

    def bank(self, code: int) -> Bank:
        """The bank with an issuer number; raises ParticipantUnknown."""
        try:
            return self.banks[code]
        except KeyError:
            raise ParticipantUnknown(
                f"no bank has code {code:04d}: add it with `hebat settlement participants set`"
            ) from None

    def party(self, code: Code, number: int) -> Party:
        """The party behind an account of the chart; raises ParticipantUnknown."""
        try:
            return self._parties[code][number]
        except KeyError:
            label = code.name.lower().replace("_", " ")
            raise ParticipantUnknown(
                f"no participant has {label} {number}: add it with `hebat settlement participants set`"
            ) from None

    def merchant(self, number: int) -> Merchant:
        """The merchant with a number; raises ParticipantUnknown."""
        try:
            return self.merchants[number]
        except KeyError:
            raise ParticipantUnknown(
                f"no merchant has number {number}: add it with `hebat settlement participants set`"
            ) from None

    def bank_with_account(self, account: str) -> Bank | None:
        """The bank at which we hold an account; a statement names the account only."""
        wanted = account.lstrip("0")
        return next((bank for bank in self.banks.values() if bank.account.lstrip("0") == wanted), None)


def _unique(things: Iterable[_Participant], key: str) -> Iterable[_Participant]:
    seen: set[object] = set()
    for thing in things:
        value = getattr(thing, key)
        if value in seen:
            raise ParticipantInvalid(f"two participants have {key} {value}")
        seen.add(value)
        yield thing
