"""What calls of orders ask with and are answered with: their forms, bounds and examples."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, Field

from ledger.clients.scopes import PartyKind  # noqa: TC001  pydantic reads it
from ledger.http.examples import asked, shown
from ledger.orders.order import AMOUNT_MAX, NUMBER_MAX, Act

HOLD_MAX: Final = (1 << 63) - 1
POSITION_MAX: Final = HOLD_MAX
HOLD_SECONDS: Final = 86_400
HOLD_SECONDS_MAX: Final = 31 * 86_400
_PARTY: Final = {"kind": "merchant", "number": 502}
_ORDER: Final = {"card": "9360000900000012", "party": _PARTY, "amount": 350000}
_WALLET: Final = {"posted": 4650000, "held": 0, "available": 4650000}
_DONE: Final = {
    "act": "debit", "position": 40213, "hold": None, "amount": 350000, "received_at": 1763450000000,
    "business_date": 20410, "expires_at": None, "wallet": _WALLET,
}  # fmt: skip
_HOLD: Final = {"hold": 40213, "amount": 350000, "debit": 145110000000001234, "credit": 217298682020462592, "pending": True, "expires_at": 1763450900000}  # fmt: skip


class PartyAsked(BaseModel):
    """Who stands on the other side of the wallet."""

    model_config = asked(_PARTY)

    kind: PartyKind
    number: Annotated[int, Field(ge=1, le=NUMBER_MAX, strict=True)]


class OrderAsked(BaseModel):
    """An order: the card whose wallet it is, the other party, and an amount in sen."""

    model_config = asked(_ORDER)

    card: Annotated[str, Field(pattern=r"^9360[0-9]{12}$")]
    party: PartyAsked
    amount: Annotated[int, Field(ge=1, le=AMOUNT_MAX, strict=True)]


class CreditAsked(OrderAsked):
    """An order that gives. A merchant or an operator gives back a payment, whole or in part, and names it by its journal position; others name none."""

    model_config = asked({**_ORDER, "payment": 40213})

    payment: Annotated[int, Field(ge=1, le=POSITION_MAX, strict=True)] | None = None


class HoldAsked(OrderAsked):
    """An order that reserves, and for how long: what is not captured then goes back by itself."""

    model_config = asked({**_ORDER, "seconds": 900})

    seconds: Annotated[int, Field(ge=1, le=HOLD_SECONDS_MAX, strict=True)] = HOLD_SECONDS


class CaptureAsked(BaseModel):
    """How much of a hold to take, in sen; all of it without an amount."""

    model_config = asked({"amount": 300000})

    amount: Annotated[int, Field(ge=1, le=AMOUNT_MAX, strict=True)] | None = None


class WalletNow(BaseModel):
    """A wallet right after an order, in sen."""

    model_config = shown(_WALLET)

    posted: int
    held: int
    available: int


class Done(BaseModel):
    """An order that is in the books, durably: its journal position, and what the wallet holds now. Dates count days since 1970."""

    model_config = shown(_DONE)

    act: Act
    position: int
    hold: int | None
    amount: int
    received_at: int
    business_date: int
    expires_at: int | None
    wallet: WalletNow


class HoldShown(BaseModel):
    """A hold, and whether it is still pending."""

    model_config = shown(_HOLD)

    hold: int
    amount: int
    debit: int
    credit: int
    pending: bool
    expires_at: int


BODIES: Final = (OrderAsked, CreditAsked, HoldAsked, CaptureAsked)
