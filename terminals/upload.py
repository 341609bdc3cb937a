"""Send batches to the ledger: signed once, sent until a receipt proves that they are durable there."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import httpx2
import stamina

from card.batch import CONTENT_TYPE, digest, encode_batch
from keys import cbor, envelope
from keys.errors import CborMalformed, EnvelopeError
from terminals.errors import Offline, ReceiptWrong, UploadRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keys.clock import Clock
    from terminals.batches import PendingBatch
    from terminals.outbox import Outbox

COSE: Final = "application/cose"
ATTEMPTS: Final = 4
BACK_OFF_SECONDS_MAX: Final = 5.0
SECONDS_MIN: Final = 30.0
LINE_BYTES_A_SECOND: Final = 1_000
"""How slow a line may be before a batch under way counts as lost."""
_BUSY: Final = frozenset({429, 502, 503, 504})
_RESULTS: Final = frozenset({"posted", "duplicate", "quarantined"})
_OK: Final = 200
_NOTHING: Final = frozenset({204, 304, 404})


@dataclass(frozen=True, slots=True)
class Uploaded:
    """What the ledger made of the records that were sent."""

    sent: int = 0
    posted: int = 0
    duplicate: int = 0
    quarantined: int = 0


class _Busy(Exception):
    """The ledger cannot take it now."""


class Link:
    """A terminal's line to its ledger."""

    def __init__(
        self,
        client: httpx2.Client,
        terminal: int,
        sign: Callable[[bytes], bytes],
        ledger_key: bytes,
        clock: Clock,
        attempts: int = ATTEMPTS,
    ) -> None:
        self._client = client
        self._terminal = terminal
        self._sign = sign
        self._ledger_key = ledger_key
        self._clock = clock
        self._attempts = attempts

    @property
    def terminal(self) -> int:
        """Whose line it is."""
        return self._terminal

    def sign(self, message: bytes) -> bytes:
        """This terminal's Ed25519 signature of a message, 64 bytes."""
        return self._sign(message)

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def _seal(self, payload: bytes, content_type: str) -> bytes:
        kid = self._terminal.to_bytes(4, "big")
        return envelope.seal(payload, kid=kid, sign=self._sign, content_type=content_type)

    def upload(self, outbox: Outbox) -> Uploaded:
        """Send everything that is ready.

        Raises Offline (nothing is lost; try later), UploadRefused (the ledger says why), ReceiptWrong.
        """
        counts = dict.fromkeys(sorted(_RESULTS), 0)
        sent = 0
        while (batch := outbox.batch(self._form)) is not None:
            answer = self._post("/v1/batches", batch.body)
            results = self._proven(batch, answer)
            outbox.settle(batch)
            sent += len(results)
            for result in results:
                counts[result] += 1
        return Uploaded(sent, **counts)

    def _form(self, first: int, previous: bytes, records: list[bytes]) -> bytes:
        payload = encode_batch(self._terminal, first, previous, self._clock.now(), records)
        return self._seal(payload, CONTENT_TYPE)

    def _proven(self, batch: PendingBatch, answer: Any) -> list[str]:
        """The results, once the receipt is signed by the ledger and speaks of this very batch."""
        try:
            receipt = envelope.parse(base64.b64decode(answer["receipt"], validate=True))
            terminal, first, last, body_digest, *_ = cbor.decoded(receipt.verify(self._ledger_key))
            results = [str(result["result"]) for result in answer["results"]]
        except (EnvelopeError, CborMalformed, binascii.Error, KeyError, TypeError, ValueError) as error:
            raise ReceiptWrong(
                f"the ledger's receipt does not verify ({error}): records stay, try later"
            ) from None
        told = (terminal, first, last, body_digest)
        if (
            told != (self._terminal, batch.first, batch.last, digest(batch.body))
            or len(results) != last - first + 1
            or not _RESULTS.issuperset(results)
        ):
            raise ReceiptWrong("the ledger's receipt speaks of another batch: records stay, try later")
        return results

    def post_signed(self, path: str, payload: bytes, content_type: str, attempts: int = 0) -> Any:
        """Send one signed message, the same bytes until there is an answer, or so often (0: as often as this line does); the answer's JSON.

        Raises Offline, UploadRefused.
        """
        return self._post(path, self._seal(payload, content_type), attempts)

    def receipted(self, receipt: bytes, record: int) -> list[Any]:
        """The fields of the receipt that the ledger signed for one record in this terminal's name; raises ReceiptWrong."""
        try:
            fields = cbor.decoded(envelope.parse(receipt).verify(self._ledger_key))
            terminal, first, last = fields[:3]
        except (EnvelopeError, CborMalformed, TypeError, ValueError) as error:
            raise ReceiptWrong(f"the ledger's receipt does not verify ({error}): try again") from None
        if (terminal, first, last) != (self._terminal, record, record):
            raise ReceiptWrong("the ledger's receipt speaks of another load: try again")
        return list(fields)

    def signed(self, answer: bytes, content_type: str) -> bytes:
        """The payload of what the ledger signed; raises ReceiptWrong."""
        try:
            message = envelope.parse(answer)
            payload = message.verify(self._ledger_key)
        except EnvelopeError as error:
            raise ReceiptWrong(f"the ledger's answer does not verify ({error}): try again") from None
        if message.content_type != content_type:
            raise ReceiptWrong(f"the ledger's answer is {message.content_type[:60]!r}, not {content_type}")
        return payload

    def get(self, path: str, query: Mapping[str, str], bytes_max: int) -> bytes | None:
        """What the ledger has at a path, None where it has nothing (newer); one try, and no more than so many bytes.

        Raises Offline, UploadRefused.
        """
        try:
            with self._client.stream("GET", path, params=dict(query)) as response:
                body = _limited(response, bytes_max)
        except httpx2.TransportError as error:
            raise Offline(f"the ledger does not answer ({type(error).__name__}): try later") from None
        if response.status_code in _NOTHING:
            return None
        if response.status_code != _OK:
            raise UploadRefused(response.status_code, f"no answer to GET {path}")
        return body

    def _post(self, path: str, body: bytes, attempts: int = 0) -> Any:
        try:
            for attempt in stamina.retry_context(
                on=(httpx2.TransportError, _Busy), attempts=attempts or self._attempts, timeout=None, wait_initial=0.1,
                wait_max=BACK_OFF_SECONDS_MAX,
            ):  # fmt: skip
                with attempt:
                    return self._posted(path, body)
        except (httpx2.TransportError, _Busy) as error:
            raise Offline(
                f"the ledger does not answer ({type(error).__name__}): records wait in the outbox"
            ) from None
        raise Offline("no attempt was made: raise the number of attempts")

    def _posted(self, path: str, body: bytes) -> Any:
        patience = SECONDS_MIN + len(body) / LINE_BYTES_A_SECOND
        response = self._client.post(path, content=body, headers={"Content-Type": COSE}, timeout=patience)
        if response.status_code in _BUSY:
            raise _Busy(str(response.status_code))
        try:
            answer = response.json()
        except ValueError:
            raise UploadRefused(
                response.status_code, "the answer is no JSON: is this a ledger's address?"
            ) from None
        if response.status_code != _OK:
            detail = answer.get("detail", "") if isinstance(answer, dict) else ""
            raise UploadRefused(response.status_code, str(detail))
        return answer


def _limited(response: httpx2.Response, bytes_max: int) -> bytes:
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > bytes_max:
            raise UploadRefused(
                response.status_code, f"the answer has more than {bytes_max} bytes: not taken"
            )
    return bytes(body)
