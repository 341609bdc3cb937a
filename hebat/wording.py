"""Numbers in sentences: one tap, two taps."""

from __future__ import annotations


def some(count: int, noun: str) -> str:
    """A number with its noun, such as `1 tap` or `2 taps`; nouns that take another plural are not for this."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
