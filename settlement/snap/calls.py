"""A call and its answer as bytes and headers, whatever carries them; headers of SNAP by their names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

AUTHORISATION: Final = "Authorization"
TIMESTAMP: Final = "X-TIMESTAMP"
SIGNATURE: Final = "X-SIGNATURE"
CLIENT_KEY: Final = "X-CLIENT-KEY"
PARTNER: Final = "X-PARTNER-ID"
EXTERNAL_ID: Final = "X-EXTERNAL-ID"
CHANNEL: Final = "CHANNEL-ID"
EXTERNAL_ID_CHARACTERS_MAX: Final = 36
SKEW_MS_MAX: Final = 300_000
"""How far a call's time may be from the receiver's clock; older ones are refused, however they come."""


@dataclass(frozen=True, slots=True)
class Call:
    """A request: method, path with its query, headers and body. Headers carry tokens: they are in no repr."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def header(self, name: str) -> str:
        """A header's value whatever the case of its name, "" where it is missing."""
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), "")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: HTTP status, headers and body."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def header(self, name: str) -> str:
        """A header's value whatever the case of its name, "" where it is missing."""
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), "")
