"""The fixed seeds: in them every kind of fault strikes, and most of the variants are seen in the first."""

from __future__ import annotations

from typing import Final

SEEDS: Final = (168, 1174, 15, 12, 30, 2958)
