"""Changes to inputs: of bytes, and of what stands in CBOR or JSON. A change is three numbers, so that chance and hypothesis both draw them."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import cbor2

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

NUMBER_BITS: Final = 20
INPUT_BYTES_MAX: Final = 1 << 16
"""No mutated input grows beyond this: what is bigger is tried by `bombs`."""
TOKENS: Final = (
    b"", b"\x00", b"\xff", b"\x7f", b"\x80", b"\xff" * 4, b"\x00" * 8, b"\x7f" + b"\xff" * 7, b"\x9f\xff", b"\xbf\xff", b"\xd8\x1c", b"\xc4\x82", b"\xc5\x82",
    b"\x5b" + b"\xff" * 8, b"\x9b" + b"\x00\x00\x00\x00\xff\xff\xff\xff", b"-", b"0", b"9" * 20, b"1e999", b"NaN", b"Infinity", b"null", b"\\ud800", b"[" * 50, b"{",
    b'"', b"'", b"\r\n", b"\n", b"\t", b";", b",", b"<", b"&", b"]]>", b"<!DOCTYPE a>", b"&a;", b"/", b"../", b"%00", "\u200b".encode(), "\u0660".encode(),
    "\u00e9".encode(), b"\xed\xa0\x80", b"PK\x03\x04", b"PK\x05\x06", b"2026-13-45", b"0001-01-01", b"9999-12-31",
)  # fmt: skip
ODD: Final[tuple[Any, ...]] = (
    None, True, False, 0, 1, -1, 255, 256, 1 << 31, (1 << 63) - 1, 1 << 63, 1 << 64, -(1 << 63) - 1, 1 << 200, 0.5, float("inf"), "", "x", "0", "\x00", "é" * 40,
    "9" * 400, b"", b"\x00" * 7, b"\xff" * 300, [], {}, [[]], {"a": 1}, [0] * 40, {0: 0}, {"": ""},
)  # fmt: skip


class Change(NamedTuple):
    """What is done, where, and with what: the numbers are taken modulo what there is."""

    what: int
    where: int
    how: int


def drawn(dice: random.Random) -> Change:
    """A change by chance."""
    return Change(dice.getrandbits(5), dice.getrandbits(NUMBER_BITS), dice.getrandbits(NUMBER_BITS))


def changed(data: bytes, changes: Sequence[Change], others: Sequence[bytes]) -> bytes:
    """Bytes after some changes; `others` are inputs to take pieces from."""
    body = bytearray(data)
    for change in changes:
        _ACTS[change.what % len(_ACTS)](body, change.where % (len(body) + 1), change.how, others)
    return bytes(body[:INPUT_BYTES_MAX])


def _flip(body: bytearray, at: int, how: int, _: Sequence[bytes]) -> None:
    if at < len(body):
        body[at] ^= 1 << how % 8


def _set(body: bytearray, at: int, how: int, _: Sequence[bytes]) -> None:
    if at < len(body):
        body[at] = how & 0xFF


def _insert(body: bytearray, at: int, how: int, _: Sequence[bytes]) -> None:
    body[at:at] = how.to_bytes(3, "big")[-1 - how % 3 :]


def _delete(body: bytearray, at: int, how: int, _: Sequence[bytes]) -> None:
    del body[at : at + 1 + how % 16]


def _cut(body: bytearray, at: int, _how: int, _: Sequence[bytes]) -> None:
    del body[at:]


def _token(body: bytearray, at: int, how: int, _: Sequence[bytes]) -> None:
    token = TOKENS[how % len(TOKENS)]
    body[at : at + (len(token) if how & 0x10000 else 0)] = token


def _repeat(body: bytearray, at: int, how: int, _: Sequence[bytes]) -> None:
    piece = body[at : at + 1 + how % 32]
    body[at:at] = piece * (1 + (how >> 5) % 64)


def _splice(body: bytearray, at: int, how: int, others: Sequence[bytes]) -> None:
    other = others[how % len(others)]
    begin = (how >> 4) % (len(other) + 1)
    body[at : at + (how >> 9) % 64] = other[begin : begin + 1 + how % 64]


def _digit(body: bytearray, at: int, how: int, _: Sequence[bytes]) -> None:
    places = [place for place in range(at, min(at + 64, len(body))) if 0x30 <= body[place] <= 0x39]
    if places:
        body[places[how % len(places)]] = 0x30 + how % 10


def _number(body: bytearray, at: int, how: int, _: Sequence[bytes]) -> None:
    """A field of one to eight bytes gets a number at an edge, in either byte order."""
    size = (1, 2, 3, 4, 8)[how % 5]
    value = ((1 << 8 * size) - 1, 0, 1, 1 << (8 * size - 1), (1 << (8 * size - 1)) - 1)[how % 5]
    body[at : at + size] = value.to_bytes(size, "little" if how & 0x100 else "big")


_ACTS: Final[tuple[Callable[[bytearray, int, int, Sequence[bytes]], None], ...]] = (
    _flip, _set, _insert, _delete, _cut, _token, _repeat, _splice, _digit, _number,
)  # fmt: skip


# What stands in the bytes


def of_cbor(data: bytes, changes: Sequence[Change]) -> bytes:
    """CBOR whose values were changed, deterministic again: it comes past what looks at the encoding alone."""
    return cbor2.dumps(_grown(cbor2.loads(data), changes), canonical=True)


def of_json(data: bytes, changes: Sequence[Change]) -> bytes:
    """JSON whose values were changed."""
    told = json.loads(data)
    return json.dumps(_grown(told, changes), default=_written).encode("utf-8", "surrogatepass")


def _written(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else repr(value)


def _grown(value: Any, changes: Sequence[Change]) -> Any:
    root = [copy.deepcopy(value)]
    for change in changes:
        places = list(_places(root))
        holder, key = places[change.where % len(places)]
        _alter(root, holder, key, change)
    return root[0]


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every value within a value, as what holds it and its key there."""
    found: list[tuple[Any, Any]] = []
    waiting = [value]
    while waiting:
        holder = waiting.pop()
        items = list(holder.items()) if isinstance(holder, dict) else list(enumerate(holder))
        found += [(holder, key) for key, _ in items]
        waiting += [below for _, below in items if isinstance(below, list | dict)]
    return found


def _alter(root: Any, holder: Any, key: Any, change: Change) -> None:
    what, odd = change.what % 6, copy.deepcopy(ODD[change.how % len(ODD)])
    if what == 0 and holder is not root:
        del holder[key]
    elif what == 1 and isinstance(holder, list):
        holder.insert(key, odd)
    elif what == 2 and isinstance(holder, dict):
        holder[("more", 0, "")[change.how % 3]] = odd
    elif what == 3 and type(holder[key]) is int:
        holder[key] += change.how % 7 - 3
    elif what == 4 and holder is not root:
        holder[key] = [copy.deepcopy(holder[key])]
    else:
        holder[key] = odd
