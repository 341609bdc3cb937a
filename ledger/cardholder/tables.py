"""The cardholder's tables. What names a person is sealed (`ledger.cardholder.sealing`); what opens a page is kept as a digest only."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, MetaData, String, Table, Text

from ledger.schema import each, field, key, keys

metadata = MetaData()


page_tokens = Table(
    "page_tokens",
    metadata,
    key("partition", BigInteger),
    key("digest", LargeBinary(32)),
    *each(BigInteger, "uid", "issued_at", "revoked_at"),
)
"""Printed tokens beside the one a card was issued with; that one too, once it is revoked. The partition follows from the digest."""

card_pins = Table(
    "card_pins",
    metadata,
    *keys(BigInteger, "partition", "uid"),
    field("hash", String(128)),
    field("made_at", BigInteger),
    field("failures", Integer),
    field("locked_until", BigInteger),
)

phone_taps = Table(
    "phone_taps", metadata, *keys(BigInteger, "partition", "uid"), *each(BigInteger, "counter", "seen_at")
)
"""The highest counter that a card has shown a phone: only higher ones open its page."""

screen_codes = Table(
    "screen_codes",
    metadata,
    key("partition", BigInteger),
    key("digest", LargeBinary(32)),
    field("expires_at", BigInteger),
)
"""Codes of terminals' screens that were used, until they are out of date anyway. The partition follows from the digest."""

disputes = Table(
    "disputes",
    metadata,
    key("partition", BigInteger),
    key("digest", LargeBinary(32)),
    *each(BigInteger, "uid", "tmc"),
    field("reason", String(24)),
    field("words", LargeBinary),
    field("opened_at", BigInteger),
    field("due", Integer),
    field("state", String(12)),
    field("answer", Text),
    field("answered_by", String(64)),
    field("answered_at", BigInteger),
    Index("disputes_by_card", "partition", "uid"),
)
"""Problems that holders reported. The number that follows one is kept as a digest; what the holder wrote is sealed."""

holders = Table(
    "holders",
    metadata,
    *keys(BigInteger, "partition", "uid"),
    field("sealed", LargeBinary),
    field("purposes", String(64)),
    *each(BigInteger, "consented_at", "erased_at"),
)
"""Personal data of registered cards, apart from everything else; an erased row keeps when, and nothing of whom."""

replacements = Table(
    "replacements",
    metadata,
    *keys(BigInteger, "partition", "uid"),
    *each(BigInteger, "replaced_by", "noted_at", "purse", "wallet", "moved_at"),
)
"""Lost cards and the cards that took their place; what was moved, in sen, and when (0: not yet)."""
