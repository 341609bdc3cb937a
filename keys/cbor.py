"""CBOR from elsewhere (RFC 8949), as this system writes it: arrays, maps, whole numbers, texts, bytes, yes, no, nothing. No other value comes in.

The library also knows tags for decimals, dates, patterns and more; each brings its own errors with it, some of them late (a signalling NaN raises when it is
compared). No format here has one, but for the tag around a signed message.
"""

from __future__ import annotations

from typing import Any, Final

import cbor2

from keys.errors import CborMalformed

NESTED_MAX: Final = 200_000
"""Arrays and maps of one value."""
_PLAIN: Final = frozenset({int, str, bytes, bool, type(None), list, dict})
_NESTED: Final = frozenset({list, dict})


def decoded(data: bytes) -> Any:
    """The value of some bytes; raises CborMalformed."""
    return _checked(_loaded(data))


def tagged(data: bytes, tag: int) -> Any:
    """The value under a tag; raises CborMalformed where another one, or none, stands before it."""
    found = _loaded(data)
    if not isinstance(found, cbor2.CBORTag) or found.tag != tag:
        raise CborMalformed(f"there is no tag {tag} before it")
    value = found.value
    return _checked(list(value) if isinstance(value, tuple) else value)


def is_deterministic(value: Any, data: bytes) -> bool:
    """True where some bytes are the one encoding of what was decoded from them (RFC 8949 section 4.2)."""
    try:
        return cbor2.dumps(value, canonical=True) == data
    except (cbor2.CBOREncodeError, ValueError, TypeError, RecursionError, OverflowError):
        return False


def _loaded(data: bytes) -> Any:
    try:
        return cbor2.loads(data)
    except Exception as error:  # noqa: BLE001  a tag's decoder raises whatever its type raises
        raise CborMalformed(f"the bytes are no CBOR: {type(error).__name__}") from None


def _checked(value: Any) -> Any:
    """The same value; raises CborMalformed where a part of it is none of ours, and where it has no end, for it holds itself."""
    seen, waiting = 0, [[value]]
    while waiting:
        holder: Any = waiting.pop()
        parts = [*holder, *holder.values()] if type(holder) is dict else holder
        kinds = set(map(type, parts))
        if not kinds <= _PLAIN:
            raise CborMalformed("it holds a value that no format of this system has")
        if kinds & _NESTED:
            waiting += [part for part in parts if type(part) in _NESTED]
        seen += 1
        if seen + len(waiting) > NESTED_MAX:
            raise CborMalformed(f"it has over {NESTED_MAX} arrays and maps")
    return value
