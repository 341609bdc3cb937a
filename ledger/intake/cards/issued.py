"""A card as the ledger knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.chart import partition_of

if TYPE_CHECKING:
    from ledger.chart import Partition


@dataclass(frozen=True, slots=True)
class Card:
    """A card as issued; `uid` as an integer, most significant byte first.

    `key_version` is that of its Transaction MAC key, for life; `versions` those of its other keys, by place (b"": all as the
    Transaction MAC key), and `coming` those of a change of its keys whose end is not known; see `ledger.intake.key_versions`.
    """

    uid: int
    card_number: int
    registered: bool
    key_version: int
    token_digest: bytes
    versions: bytes = b""
    coming: bytes = b""

    @property
    def partition(self) -> Partition:
        """The partition of its account and its taps."""
        return partition_of(self.card_number // 10)
