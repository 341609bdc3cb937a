"""What calls of wallets ask with and are answered with: their forms, bounds and examples."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, Field

from ledger.http.examples import asked, shown
from ledger.orders.bodies import WalletNow  # noqa: TC001  pydantic reads it
from ledger.orders.order import AMOUNT_MAX

CODE_CHARS_MAX: Final = 512
CARD: Final = r"^9360[0-9]{12}$"
_CARD, _OTHER = "9360000900000012", "9360000900000020"
_SHOWN: Final = {
    "card": _CARD, "account": 145110000000001234, "statement": "/v1/accounts/145110000000001234/statement", "posted": 4650000,
    "held": 0, "available": 4650000, "ceiling": 20000000, "monthly": 40000000, "frozen": [], "blocked": False, "closed": False,
}  # fmt: skip
_ORDERED: Final = {
    "transfer": 40213,
    "card": _CARD,
    "to": _OTHER,
    "amount": 1000000,
    "expires_at": 1763450900000,
    "wallet": {"posted": 4650000, "held": 1000000, "available": 3650000},
}
_PAID: Final = {
    "card": _CARD,
    "merchant": 502,
    "name": "Lumpia Gang Lombok",
    "amount": 2500000,
    "tip": 0,
    "position": 40214,
    "wallet": {"posted": 2150000, "held": 0, "available": 2150000},
}


class WalletShown(BaseModel):
    """A wallet: sums in sen, limits in rupiah (0: none), what is frozen (debits, credits), whether its card is blocked, and where its statement is."""

    model_config = shown(_SHOWN)

    card: str
    account: int
    statement: str
    posted: int
    held: int
    available: int
    ceiling: int
    monthly: int
    frozen: list[str]
    blocked: bool
    closed: bool


class TransferAsked(BaseModel):
    """A transfer between wallets: from a card's to another's, sen."""

    model_config = asked({"card": _CARD, "to": _OTHER, "amount": 1000000})

    card: Annotated[str, Field(pattern=CARD)]
    to: Annotated[str, Field(pattern=CARD)]
    amount: Annotated[int, Field(ge=1, le=AMOUNT_MAX, strict=True)]


class TransferOrdered(BaseModel):
    """An order: its money is held until it is confirmed, or until `expires_at` (milliseconds since 1970); the wallet right after it."""

    model_config = shown(_ORDERED)

    transfer: int
    card: str
    to: str
    amount: int
    expires_at: int
    wallet: WalletNow


class TransferDone(BaseModel):
    """A confirmed transfer: it has arrived."""

    model_config = shown({"transfer": 40213, "state": "done", "amount": 1000000})

    transfer: int
    state: str
    amount: int


class PaymentAsked(BaseModel):
    """A payment of a merchant's QRIS code; sen. The amount only where the code leaves it open, a tip only where it asks for one."""

    model_config = asked({"card": _CARD, "code": "00020101021126...6304A13A", "amount": 2500000, "tip": 0})

    card: Annotated[str, Field(pattern=CARD)]
    code: Annotated[str, Field(min_length=1, max_length=CODE_CHARS_MAX)]
    amount: Annotated[int, Field(ge=1, le=AMOUNT_MAX, strict=True)] | None = None
    tip: Annotated[int, Field(ge=0, le=AMOUNT_MAX, strict=True)] = 0


class PaymentDone(BaseModel):
    """A payment that is in the books, durably; sen. The wallet right after it."""

    model_config = shown(_PAID)

    card: str
    merchant: int
    name: str
    amount: int
    tip: int
    position: int
    wallet: WalletNow


BODIES: Final = (TransferAsked, PaymentAsked)
