"""Shamir's secret sharing over GF(256), byte by byte (A. Shamir, "How to share a secret", 1979).

The field is AES's (polynomial 0x11B), as in SLIP-0039 and SSKR, whose published shares the tests use. The secret is the polynomial's
value at 0; a share is its value at 1 to 255. Fewer shares than the threshold say nothing about the secret.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from keys.errors import ShareError

if TYPE_CHECKING:
    from collections.abc import Mapping

SHARES_MAX: Final = 255
_ORDER: Final = 255
_POLYNOMIAL: Final = 0x11B


def _tables() -> tuple[list[int], list[int]]:
    """Powers of the generator 3, and their logarithms."""
    powers, logarithms, value = [0] * _ORDER, [0] * (_ORDER + 1), 1
    for exponent in range(_ORDER):
        powers[exponent], logarithms[value] = value, exponent
        doubled = value << 1 ^ (_POLYNOMIAL if value & 0x80 else 0)
        value ^= doubled
    return powers, logarithms


_POWERS, _LOGARITHMS = _tables()


def times(left: int, right: int) -> int:
    """The product of two field elements."""
    return _POWERS[(_LOGARITHMS[left] + _LOGARITHMS[right]) % _ORDER] if left and right else 0


def over(left: int, right: int) -> int:
    """The quotient of two field elements; `right` is not 0."""
    return _POWERS[(_LOGARITHMS[left] - _LOGARITHMS[right]) % _ORDER] if left else 0


def interpolated(points: Mapping[int, bytes], x: int) -> bytes:
    """What the polynomial through some points has at x (Lagrange); raises ShareError where lengths differ or there is no point."""
    if len({len(value) for value in points.values()}) != 1:
        raise ShareError("shares of one secret have one length: some of these belong to another")
    weights = {at: _weight(at, points, x) for at in points}
    size = len(next(iter(points.values())))
    found = bytearray(size)
    for at, value in points.items():
        for place in range(size):
            found[place] ^= times(weights[at], value[place])
    return bytes(found)


def _weight(at: int, points: Mapping[int, bytes], x: int) -> int:
    weight = 1
    for other in points:
        if other != at:
            weight = times(weight, over(x ^ other, at ^ other))
    return weight


def split(secret: bytes, threshold: int, count: int) -> dict[int, bytes]:
    """Shares 1 to `count` of a secret, of which `threshold` make it again; raises ShareError."""
    if not 1 <= threshold <= count <= SHARES_MAX or not secret:
        raise ShareError(f"a secret is split into up to {SHARES_MAX} shares, of which at least one makes it")
    points = {0: secret}
    for at in range(1, threshold):
        points[at] = secrets.token_bytes(len(secret))
    return {at: points[at] if 0 < at < threshold else interpolated(points, at) for at in range(1, count + 1)}


def joined(shares: Mapping[int, bytes]) -> bytes:
    """The secret of as many shares as its threshold asks for; fewer give bytes that mean nothing. Raises ShareError."""
    if not shares or any(not 1 <= at <= SHARES_MAX for at in shares):
        raise ShareError(f"a share has a number from 1 to {SHARES_MAX}")
    return interpolated(shares, 0)
