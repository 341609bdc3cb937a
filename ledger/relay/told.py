"""What a kiosk is told of a load, step by step."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Final

from keys.money import Rupiah

GREEN: Final = "green"
AMBER: Final = "amber"
RED: Final = "red"


@dataclass(frozen=True, slots=True)
class Told:
    """How a load ended: colour, reason, and for a green one the amount, the balance after (rupiah) and the ledger's receipt.

    `sequence` is the number of the record that it stands for, 0 where it stands for none.
    """

    colour: str
    reason: str
    detail: str = ""
    amount: Rupiah = Rupiah(0)
    balance: Rupiah | None = None
    sequence: int = 0
    receipt: bytes = b""

    def as_json(self) -> dict[str, Any]:
        """What travels."""
        return {
            "colour": self.colour, "reason": self.reason, "detail": self.detail, "amount": self.amount,
            "balance": self.balance, "sequence": self.sequence, "receipt": base64.b64encode(self.receipt).decode(),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """What the kiosk has to do next: send these commands to the card, all in one; none where the load is over.

    With an outcome the load itself is done; commands that still come change the card's keys.
    """

    session: bytes
    number: int
    authorisation: int
    apdus: tuple[bytes, ...]
    outcome: Told | None

    def as_json(self) -> dict[str, Any]:
        """What travels: bytes in hexadecimal."""
        return {
            "session": self.session.hex(), "step": self.number, "authorisation": self.authorisation,
            "apdus": [apdu.hex() for apdu in self.apdus],
            "outcome": self.outcome.as_json() if self.outcome else None,
        }  # fmt: skip
