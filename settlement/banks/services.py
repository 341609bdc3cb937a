"""What may be asked of a bank as often as one likes: balances, statements, names, virtual accounts. Asked again with growing pauses (stamina)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import stamina

from keys.money import Sen
from settlement.banks.line import accepted
from settlement.errors import (
    BankAnswerInvalid,
    BankError,
    BankRefused,
    BankSilent,
    BankUnreachable,
    CircuitOpen,
)
from settlement.snap import fields, moments
from settlement.snap.codes import ResponseCode, Service, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from keys.clock import UnixMs
    from settlement.banks.line import BankLine

TRIES_MAX: Final = 4
PAGES_MAX: Final = 100
"""Pages of one statement."""
MORE: Final = "Y"
PAUSE_SECONDS: Final = 0.2
PAUSE_SECONDS_MAX: Final = 5.0
TRYING_SECONDS_MAX: Final = 30.0


@dataclass(frozen=True, slots=True)
class BankBalance:
    """What a bank says that an account holds, in sen."""

    account: str
    name: str
    balance: Sen
    available: Sen


@dataclass(frozen=True, slots=True)
class BankMovement:
    """A line of a statement that was asked for: sen, positive where the account grows; our reference where the bank tells it."""

    at: UnixMs
    amount: Sen
    text: str
    bank_reference: str
    reference: str


@dataclass(frozen=True, slots=True)
class BankStatement:
    """What a bank says that an account holds, and the movements that led there, of one moment."""

    balance: Sen
    movements: tuple[BankMovement, ...]


@dataclass(frozen=True, slots=True)
class Bound:
    """A holder's consent at a bank: the token that stands for it, and the account."""

    token: str = field(repr=False)
    account: str = field(repr=False)


class BankServices:
    """Asks one bank. `numbered` gives a new external id with each try.

    All raise BankRefused where the bank says no, BankUnreachable, BankSilent, BankAnswerInvalid after the last try.
    """

    def __init__(self, line: BankLine, numbered: Callable[[], str]) -> None:
        self._line = line
        self._numbered = numbered

    def bind(self, reference: str, code: str) -> Bound:
        """A consent for the code that the bank gave the holder, and its account. The same reference again gives the same consent."""
        named = {"partnerReferenceNo": reference}
        merchant = {"merchantId": self._line.bank.merchant_id}
        token = self._asked(Service.BINDING, named | merchant | {"authCode": code})["accountToken"]
        return Bound(token, self._asked(Service.BINDING_INQUIRY, named)["accountNo"])

    def unbind(self, reference: str, token: str) -> None:
        """End a consent; one that has ended stays so."""
        merchant = {"merchantId": self._line.bank.merchant_id}
        self._asked(Service.UNBINDING, {"partnerReferenceNo": reference, **merchant, "tokenId": token})

    def balance(self, account: str, token: str = "") -> BankBalance:
        """What an account holds; a holder's with the consent's token."""
        told = self._asked(
            Service.BALANCE, {"partnerReferenceNo": self._numbered(), **_named(account, token)}
        )
        self._need_ours("accountNo", told.get("accountNo") or account, account)
        (first, *_) = told["accountInfos"]
        balance, available = (fields.sen_of(first.get(name)) for name in ("amount", "availableBalance"))
        assert balance is not None  # noqa: S101  its form was checked
        return BankBalance(
            account, told.get("name") or "", balance, balance if available is None else available
        )

    def statement(self, account: str, first: UnixMs, last: UnixMs, token: str = "") -> BankStatement:
        """What an account holds and its movements between two moments' days, as the bank tells them now."""
        found: list[BankMovement] = []
        for _ in range(PAGES_MAX):
            told = self._asked(Service.STATEMENT, {
                "partnerReferenceNo": self._numbered(), **_named(account, token), "fromDateTime": moments.written(first),
                "toDateTime": moments.written(last),
            })  # fmt: skip
            balance, lines = _page(told)
            # A page begins with the second in which the one before it ended: lines of that second come twice.
            found += lines[sum(one.at >= first for one in found) :]
            if told.get("hasMore") != MORE:
                return BankStatement(balance, tuple(found))
            after = moments.read(str(told.get("lastRecordDateTime", "")))
            if after is None or after <= first:
                raise BankAnswerInvalid(
                    f"{self._line.bank.name} has more lines and does not say from when on: ask for fewer days"
                )
            first = after
        raise BankAnswerInvalid(
            f"{self._line.bank.name} tells more than {PAGES_MAX} pages: ask for fewer days"
        )

    def holder(self, bank_code: str, account: str) -> str:
        """Who holds an account at another bank: looked up before money goes there."""
        asked = {
            "partnerReferenceNo": self._numbered(),
            "beneficiaryBankCode": bank_code,
            "beneficiaryAccountNo": account,
        }
        told = self._asked(Service.ACCOUNT, asked)
        self._need_ours("beneficiaryAccountNo", told["beneficiaryAccountNo"], account)
        return str(told["beneficiaryAccountName"])

    def open_virtual_account(self, service_id: str, customer: str, name: str, reference: str) -> str:
        """A virtual account for one customer: payments to it are told to us. The same reference opens it once."""
        number = service_id + customer
        told = self._asked(Service.VIRTUAL_ACCOUNT, {
            "partnerServiceId": service_id, "customerNo": customer, "virtualAccountNo": number, "virtualAccountName": name,
            "trxId": reference,
        })  # fmt: skip
        data = told.get("virtualAccountData") or {"virtualAccountNo": number}
        self._need_ours("virtualAccountNo", data["virtualAccountNo"], number)
        return number

    def _need_ours(self, name: str, told: str, asked: str) -> None:
        """Raises BankAnswerInvalid where an answer speaks of another account than was asked about."""
        if told.strip() != asked.strip():
            raise BankAnswerInvalid(
                f"{self._line.bank.name} answers with another {name} than was asked about: nothing of it is taken"
            )

    def _asked(self, service: Service, body: dict[str, Any]) -> dict[str, Any]:
        told: dict[str, Any] = {}
        for attempt in stamina.retry_context(
            on=_may_come,
            attempts=TRIES_MAX,
            timeout=TRYING_SECONDS_MAX,
            wait_initial=PAUSE_SECONDS,
            wait_max=PAUSE_SECONDS_MAX,
        ):
            with attempt:
                told = accepted(self._line.call(service, body, self._numbered()))
        return told


def _may_come(error: Exception) -> bool:
    """Whether another try may help: not where the circuit is open, or the bank said no for good."""
    if isinstance(error, BankRefused):
        code = ResponseCode.parse(error.code)
        return code is not None and code.verdict in {Verdict.NOT_NOW, Verdict.UNKNOWN}
    return (
        isinstance(error, BankError)
        and not isinstance(error, CircuitOpen)
        and isinstance(error, BankUnreachable | BankSilent | BankAnswerInvalid)
    )


def _named(account: str, token: str) -> dict[str, str]:
    """An account as a request names it: a holder's by the consent's token alone."""
    return {"bankCardToken": token} if token else {"accountNo": account}


def _page(told: dict[str, Any]) -> tuple[Sen, list[BankMovement]]:
    """A page of a statement: the balance behind its period's last line, and its lines; raises BankAnswerInvalid."""
    held = told["balance"][0]
    balance = fields.sen_of(held.get("endingBalance") or held.get("amount"))
    if balance is None:
        raise BankAnswerInvalid("the statement has no balance: ask the bank again")
    return balance, [_movement(one) for one in told.get("detailData") or ()]


def _movement(told: dict[str, Any]) -> BankMovement:
    """A line whose fields' forms were checked; raises BankAnswerInvalid for one that is neither of the two types."""
    amount, at = fields.sen_of(told["amount"]), moments.read(told["transactionDate"])
    if amount is None or at is None or told["type"] not in {"CREDIT", "DEBIT"}:
        raise BankAnswerInvalid("a line of the statement is neither CREDIT nor DEBIT: ask the bank again")
    reference = (told.get("detailInfo") or {}).get("partnerReferenceNo") or ""
    signed = Sen(amount if told["type"] == "CREDIT" else -amount)
    return BankMovement(at, signed, told.get("remark") or "", told.get("transactionId") or "", reference)
