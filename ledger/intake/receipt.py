"""What the ledger gives a terminal for a batch: a signed statement that its records are durable, and where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cbor2

from keys.envelope import seal

if TYPE_CHECKING:
    from keys.vault import Vault
    from ledger.book import ChainHead

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
