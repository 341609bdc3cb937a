"""The cardholder's tables. What names a person is sealed (`ledger.cardholder.sealing`); what opens a page is kept as a digest only."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()


def _key(name: str) -> Column[int]:
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


page_tokens = Table(
    "page_tokens",
    metadata,
    _key("partition"),
    Column("digest", LargeBinary(32), primary_key=True),
    _number("uid"),
    _number("issued_at"),
    _number("revoked_at"),
)
"""Printed tokens beside the one a card was issued with; that one too, once it is revoked. The partition follows from the digest."""

card_pins = Table(
    "card_pins",
    metadata,
    _key("partition"),
    _key("uid"),
    Column("hash", String(128), nullable=False),
    _number("made_at"),
    Column("failures", Integer, nullable=False),
    _number("locked_until"),
)

phone_taps = Table(
    "phone_taps", metadata, _key("partition"), _key("uid"), _number("counter"), _number("seen_at")
)
"""The highest counter that a card has shown a phone: only higher ones open its page."""

screen_codes = Table(
    "screen_codes",
    metadata,
    _key("partition"),
    Column("digest", LargeBinary(32), primary_key=True),
    _number("expires_at"),
)
"""Codes of terminals' screens that were used, until they are out of date anyway. The partition follows from the digest."""

disputes = Table(
    "disputes",
    metadata,
    _key("partition"),
    Column("digest", LargeBinary(32), primary_key=True),
    _number("uid"),
    _number("tmc"),
    Column("reason", String(24), nullable=False),
    Column("words", LargeBinary, nullable=False),
    _number("opened_at"),
    Column("due", Integer, nullable=False),
    Column("state", String(12), nullable=False),
    Column("answer", Text, nullable=False),
    Column("answered_by", String(64), nullable=False),
    _number("answered_at"),
    Index("disputes_by_card", "partition", "uid"),
)
"""Problems that holders reported. The number that follows one is kept as a digest; what the holder wrote is sealed."""

holders = Table(
    "holders",
    metadata,
    _key("partition"),
    _key("uid"),
    Column("sealed", LargeBinary, nullable=False),
    Column("purposes", String(64), nullable=False),
    _number("consented_at"),
    _number("erased_at"),
)
"""Personal data of registered cards, apart from everything else; an erased row keeps when, and nothing of whom."""

replacements = Table(
    "replacements",
    metadata,
    _key("partition"),
    _key("uid"),
    _number("replaced_by"),
    _number("noted_at"),
    _number("purse"),
    _number("wallet"),
    _number("moved_at"),
)
"""Lost cards and the cards that took their place; what was moved, in sen, and when (0: not yet)."""
