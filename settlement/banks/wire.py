"""The way to a bank: a call goes out, an answer comes, or it is known what is not known."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

import httpx2

from settlement.errors import BankAnswerInvalid, BankSilent, BankUnreachable, PaymentInvalid
from settlement.snap.calls import Reply
from settlement.snap.fields import BODY_BYTES_MAX

if TYPE_CHECKING:
    from pathlib import Path

    from settlement.snap.calls import Call

CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 30.0
"""Longer than any bank of the standard may take (its 504 comes first)."""
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_NOT_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class Wire(Protocol):
    """Carries calls to one bank."""

    def send(self, call: Call) -> Reply:
        """The answer to a call.

        Raises BankUnreachable where surely nothing of it reached the bank, BankSilent where something may have, BankAnswerInvalid for an
        answer over the limit.
        """


class HttpWire:
    """HTTPS to a bank; plain HTTP to this machine only, for the simulator."""

    def __init__(
        self, address: str, authority: Path | None = None, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        """`authority`: the PEM of who signed the bank's certificate, where the system does not know it. Raises PaymentInvalid."""
        split = urlsplit(address)
        if split.scheme != "https" and (split.scheme != "http" or split.hostname not in _LOOPBACK):
            raise PaymentInvalid(f"{address}: a bank is spoken to over https")
        trusted = ssl.create_default_context(cafile=str(authority) if authority else None)
        trusted.minimum_version = ssl.TLSVersion.TLSv1_2
        self._client = httpx2.Client(
            base_url=address, verify=trusted, follow_redirects=False, trust_env=False,
            timeout=httpx2.Timeout(answer_seconds, connect=CONNECT_SECONDS),
        )  # fmt: skip

    def send(self, call: Call) -> Reply:
        """See `Wire.send`."""
        try:
            with self._client.stream(
                call.method, call.path, headers=dict(call.headers), content=call.body
            ) as answer:
                return Reply(answer.status_code, _limited(answer), dict(answer.headers))
        except _NOT_SENT as error:
            raise BankUnreachable(f"no way to the bank ({type(error).__name__}): try again later") from None
        except httpx2.TransportError as error:
            raise BankSilent(
                f"no answer from the bank ({type(error).__name__}): ask for the status"
            ) from None

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()


def _limited(answer: httpx2.Response) -> bytes:
    body = b""
    for part in answer.iter_bytes():
        body += part
        if len(body) > 16 * BODY_BYTES_MAX:
            raise BankAnswerInvalid("the bank's answer is over its limit: ask for less, or for the status")
    return body
