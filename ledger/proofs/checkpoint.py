"""A checkpoint: what the tree and the chain were when a business date was closed, signed by the ledger.

Inside a COSE_Sign1 envelope (`keys.envelope`) stands text after the C2SP "tlog-checkpoint" idea: origin, size, root, and a line for
each thing that this ledger adds. One text for one checkpoint, so that bytes decide. Pure.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from keys import envelope
from keys.clock import Day, UnixMs, date_of, day_of
from keys.errors import EnvelopeError, SignatureWrong
from ledger.errors import ProofInvalid

if TYPE_CHECKING:
    from collections.abc import Callable

CONTENT_TYPE: Final = "application/ksh-checkpoint"
CHECKPOINT_BYTES_MAX: Final = 1024
ORIGIN_MAX: Final = 100
KID_BYTES: Final = 8
_NUMBER_MAX: Final = 1 << 63
_NAMES: Final = ("business-date", "closed-at", "block", "position", "head")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tree of `size` leaves up to journal `position`, the last that the business date holds; `head` is the digest of `block`."""

    origin: str
    size: int
    root: bytes
    business_date: Day
    closed_at: UnixMs
    block: int
    position: int
    head: bytes

    def text(self) -> str:
        """The lines that are signed; each ends with a newline."""
        day = date_of(self.business_date).isoformat()
        values = (day, self.closed_at, self.block, self.position, self.head.hex())
        named = [f"{name} {value}" for name, value in zip(_NAMES, values, strict=True)]
        return "\n".join([self.origin, str(self.size), base64.b64encode(self.root).decode(), *named, ""])

    def signed(self, public_key: bytes, sign: Callable[[bytes], bytes]) -> bytes:
        """The checkpoint as COSE_Sign1; `sign` signs with the key (Ed25519) whose public part is given.

        Raises ProofInvalid for an origin that no line can hold.
        """
        payload = self.text().encode()
        parsed(payload)
        return envelope.seal(payload, kid=public_key[:KID_BYTES], sign=sign, content_type=CONTENT_TYPE)


def opened(data: bytes, public_key: bytes) -> Checkpoint:
    """What a checkpoint says, once its signature is this key's (raw Ed25519, 32 bytes).

    Raises ProofInvalid for another key's, and for bytes that `Checkpoint.signed` would not have made.
    """
    if len(data) > CHECKPOINT_BYTES_MAX:
        raise ProofInvalid(f"a checkpoint has at most {CHECKPOINT_BYTES_MAX} bytes, this one has {len(data)}")
    try:
        message = envelope.parse(data)
        payload = message.verify(public_key)
    except SignatureWrong:
        raise ProofInvalid(
            "the checkpoint is not signed by this key: ask the city for its ledger's key, or for another proof"
        ) from None
    except EnvelopeError as error:
        raise ProofInvalid(f"the checkpoint is no signed message: {error}") from None
    if message.content_type != CONTENT_TYPE or message.kid != public_key[:KID_BYTES]:
        raise ProofInvalid("the signed message is something else than a checkpoint of this key")
    return parsed(payload)


def parsed(payload: bytes) -> Checkpoint:
    """From the signed text; raises ProofInvalid for any that `text` would not have written."""
    try:
        origin, size, root, *rest, end = payload.decode().split("\n")
        day, closed_at, block, position, head = (
            line.removeprefix(f"{name} ") for name, line in zip(_NAMES, rest, strict=True)
        )
        found = Checkpoint(
            origin, int(size), base64.b64decode(root, validate=True), day_of(date.fromisoformat(day)),
            UnixMs(int(closed_at)), int(block), int(position), bytes.fromhex(head),
        )  # fmt: skip
    except (ValueError, binascii.Error):
        raise ProofInvalid("the checkpoint's text is not what a ledger writes") from None
    numbers = (found.size, found.closed_at, found.block, found.position)
    whole = all(0 <= number < _NUMBER_MAX for number in numbers) and len(found.root) == len(found.head) == 32  # noqa: PLR2004  SHA-256
    if end or not whole or not 0 < len(origin) <= ORIGIN_MAX or found.text().encode() != payload:
        raise ProofInvalid("the checkpoint's text is not what a ledger writes")
    return found
