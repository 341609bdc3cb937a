"""Numbers in sentences: one tap, two taps."""

from __future__ import annotations


def some(count: int, noun: str, many: str = "") -> str:
    """A number with its noun, such as `1 tap` or `2 taps`; `many` is a plural that is not the noun with an s."""
    return f"{count} {noun}" if count == 1 else f"{count} {many or f'{noun}s'}"
