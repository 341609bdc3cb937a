"""What the ledger gives a terminal for a batch: what became of its records, and a signed statement that they are durable, and where."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cbor2

from keys.envelope import seal

if TYPE_CHECKING:
    from keys.vault import Vault
    from ledger.book import ChainHead
    from ledger.intake.outcomes import Outcomes

CONTENT_TYPE: Final = "application/ksh-receipt+cbor"
LABEL: Final = "ledger"
"""The ledger's signing key in its vault."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Terminal, first and last sequence, the batch's digest, and the block that holds it."""

    terminal: int
    first: int
    last: int
    digest: bytes
    head: ChainHead

    def signed(self, vault: Vault) -> bytes:
        """The receipt as COSE_Sign1 over CBOR [terminal, first, last, digest, block, position, block digest]."""
        fields = [
            self.terminal, self.first, self.last, self.digest, self.head.block, self.head.position, self.head.digest,
        ]  # fmt: skip
        kid = vault.public_key(LABEL)[:8]
        payload = cbor2.dumps(fields, canonical=True)
        return seal(payload, kid=kid, sign=lambda data: vault.sign(LABEL, data), content_type=CONTENT_TYPE)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of each record, and the signed receipt."""

    outcomes: Outcomes
    receipt: bytes

    @property
    def results(self) -> list[dict[str, Any]]:
        """One result a record."""
        return self.outcomes.said()

    def as_json(self) -> dict[str, Any]:
        """What travels: the receipt in base64."""
        return {"results": self.results, "receipt": base64.b64encode(self.receipt).decode()}

    def encoded(self) -> bytes:
        """The same as the bytes that travel, without an object a record."""
        receipt = base64.b64encode(self.receipt).decode()
        return f'{{"results":{self.outcomes.as_json()},"receipt":"{receipt}"}}'.encode()
