"""Randomness by seed: while a simulation runs, whatever asks the system for random bytes is given those of a seed.

One seam holds all: `os.urandom`, from which `secrets`, `uuid` and `cryptography.x509` draw, and the two kinds of keys that OpenSSL draws by
itself. Only a process that simulates does this; nothing that it makes is ever a real key.
"""

from __future__ import annotations

import hashlib
import os
import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEY_BYTES = 32


class Entropy:
    """Bytes drawn from a label: SHAKE-256 over the label and a counter. The same label gives the same bytes again."""

    def __init__(self, label: str) -> None:
        self._label = b""
        self._drawn = 0
        self.begin(label)

    def begin(self, label: str) -> None:
        """Go on with the bytes of another label, so that what is left out of a run changes nothing behind it."""
        self._label, self._drawn = label.encode(), 0

    def draw(self, count: int) -> bytes:
        """So many bytes."""
        self._drawn += 1
        return hashlib.shake_256(self._label + self._drawn.to_bytes(8, "big")).digest(count)


@contextmanager
def seeded(entropy: Entropy) -> Iterator[None]:
    """While the context lasts, all randomness of this process is the entropy's."""

    def key(kind: Any) -> Any:
        return classmethod(lambda _cls: kind.from_private_bytes(entropy.draw(_KEY_BYTES)))

    with (
        mock.patch.object(os, "urandom", entropy.draw),
        mock.patch.object(random, "_urandom", entropy.draw),
        mock.patch.object(Ed25519PrivateKey, "generate", key(Ed25519PrivateKey)),
        mock.patch.object(X25519PrivateKey, "generate", key(X25519PrivateKey)),
    ):
        yield
