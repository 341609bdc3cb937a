"""Tables of the Saving pocket, each row in its card's partition. The account and its token are sealed (`ledger.cardholder.sealing`)."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, LargeBinary, MetaData, String, Table, Text

from ledger.schema import each, field, key, keys

metadata = MetaData()

links = Table(
    "saving_links",
    metadata,
    *keys(BigInteger, "partition", "uid"),
    key("ordinal", Integer),
    field("bank", String(20)),
    field("state", String(10)),
    field("purposes", String(64)),
    *each(BigInteger, "consented_at", "revoked_at"),
    field("digits", String(4)),
    field("sealed", LargeBinary),
    CheckConstraint(
        "state IN ('asked', 'active', 'refused', 'revoking', 'revoked')", name="saving_links_state"
    ),
    Index("saving_links_by_state", "state"),
)
"""Consents: asked for before the bank hears of it, active once it gave a token; revoked ones keep when, and nothing of the account."""

mirrors = Table(
    "saving_mirrors",
    metadata,
    *keys(BigInteger, "partition", "uid"),
    key("ordinal", Integer),
    *each(BigInteger, "balance", "at"),
    field("source", String(10)),
    field("line", String(64)),
    *each(BigInteger, "line_balance", "line_at"),
)
"""What the bank last said, when, and in answer to what; and up to which line of its statement the two were brought together."""

told = Table(
    "saving_told",
    metadata,
    key("partition", BigInteger),
    *keys(String(64), "reference", "line"),
    field("uid", BigInteger),
    field("ordinal", Integer),
    *each(BigInteger, "amount", "at"),
)
"""Lines of the bank's statements that carry a reference of ours. No other line of a holder's account is kept."""

checks = Table(
    "saving_checks",
    metadata,
    *keys(BigInteger, "partition", "uid"),
    *keys(Integer, "ordinal", "business_date"),
    field("bank", String(20)),
    field("apart", BigInteger),
    field("text", Text),
    field("reached", Integer),
)
"""What a night found of a link: by how many sen mirror and bank are apart and why, or that the bank was not reached."""

numbers = Table(
    "virtual_accounts",
    metadata,
    key("partition", BigInteger),
    key("number", String(28)),
    key("bank", String(20)),
    *each(BigInteger, "uid", "opened_at"),
)
"""Virtual accounts that banks opened for cards: what is paid into one comes to the card's wallet."""
