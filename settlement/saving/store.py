"""Links, mirrors, checks and virtual accounts in the database; writing functions take the connection of a unit of the ledger's writer."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import sqlalchemy as sa

from keys.clock import Day, UnixMs
from keys.money import Sen
from ledger.cardholder.records.store import sealed_otherwise
from ledger.cardholder.savings import Consent, LinkState
from settlement.saving import tables

if TYPE_CHECKING:
    from ledger.intake.cards.issued import Card
    from ledger.store import Connection

NEVER: Final = UnixMs(0)


@dataclass(frozen=True, slots=True)
class Link:
    """A consent: whose, at which bank, for what, since when. `sealed` holds the account and its token; before there is one, the holder's code."""

    partition: int
    uid: int
    ordinal: int
    bank: str
    state: LinkState
    consents: tuple[Consent, ...]
    consented_at: UnixMs
    revoked_at: UnixMs = NEVER
    digits: str = ""
    sealed: bytes = field(default=b"", repr=False)

    @property
    def handle(self) -> str:
        """Digits that stand for the account where only a sealed row may tell it."""
        return f"{self.uid}{self.ordinal:03d}"


@dataclass(frozen=True, slots=True)
class MirrorRow:
    """What the bank last said of a link; and the line of its statement, with the balance behind it, up to which all was brought together."""

    balance: Sen
    at: UnixMs
    source: str
    line: str
    line_balance: Sen
    line_at: UnixMs


class ToldRow(NamedTuple):
    """A line of the bank's that carries a reference of ours: sen, positive where the account grows."""

    reference: str
    line: str
    amount: Sen
    at: UnixMs


@dataclass(frozen=True, slots=True)
class CheckRow:
    """What a night found of a link."""

    partition: int
    uid: int
    ordinal: int
    business_date: Day
    bank: str
    apart: Sen
    text: str
    reached: int


def _key(table: sa.Table, link: Link) -> tuple[sa.ColumnElement[bool], ...]:
    return table.c.partition == link.partition, table.c.uid == link.uid, table.c.ordinal == link.ordinal


def _of_link(link: Link) -> dict[str, int]:
    return {"partition": link.partition, "uid": link.uid, "ordinal": link.ordinal}


def links_of(connection: Connection, card: Card) -> list[Link]:
    """A card's links, newest first."""
    table = tables.links
    query = sa.select(table).where(table.c.partition == card.partition, table.c.uid == card.uid)
    return [_link(row) for row in connection.execute(query.order_by(table.c.ordinal.desc()))]


def links_in(connection: Connection, *states: LinkState) -> list[Link]:
    """All links in some states, in order."""
    table = tables.links
    query = sa.select(table).where(table.c.state.in_([one.value for one in states]))
    return [_link(row) for row in connection.execute(query.order_by(table.c.uid, table.c.ordinal))]


def links_sealed_otherwise(connection: Connection, form: int, most: int) -> list[Link]:
    """Links whose account is sealed in another form than this one."""
    query = sa.select(tables.links).where(sealed_otherwise(tables.links.c.sealed, form))
    return [_link(row) for row in connection.execute(query.order_by(tables.links.c.uid).limit(most))]


def link_at(connection: Connection, partition: int, uid: int, ordinal: int) -> Link | None:
    """One link; None where there is none."""
    table = tables.links
    key = (table.c.partition == partition, table.c.uid == uid, table.c.ordinal == ordinal)
    row = connection.execute(sa.select(table).where(*key)).one_or_none()
    return None if row is None else _link(row)


def put_link(connection: Connection, link: Link) -> None:
    """Keep a link, new or changed."""
    values = {**_of_link(link), "bank": link.bank, "state": link.state.value, "purposes": " ".join(link.consents),
        "consented_at": link.consented_at, "revoked_at": link.revoked_at, "digits": link.digits, "sealed": link.sealed}  # fmt: skip
    connection.execute(sa.delete(tables.links).where(*_key(tables.links, link)))
    connection.execute(sa.insert(tables.links), values)


def mirror_of(connection: Connection, link: Link) -> MirrorRow | None:
    """What the bank last said; None before it was asked."""
    table = tables.mirrors
    query = sa.select(*(table.c[one.name] for one in fields(MirrorRow))).where(*_key(table, link))
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    return MirrorRow(Sen(row[0]), UnixMs(row[1]), row[2], row[3], Sen(row[4]), UnixMs(row[5]))


def put_mirror(connection: Connection, link: Link, mirror: MirrorRow) -> None:
    """Keep what the bank said."""
    connection.execute(sa.delete(tables.mirrors).where(*_key(tables.mirrors, link)))
    connection.execute(sa.insert(tables.mirrors), {**_of_link(link), **asdict(mirror)})


def forget_mirror(connection: Connection, link: Link) -> None:
    """Nothing of an account is kept once its consent has ended."""
    connection.execute(sa.delete(tables.mirrors).where(*_key(tables.mirrors, link)))


def told_of(connection: Connection, link: Link) -> list[ToldRow]:
    """The bank's lines that carry references of ours, in order of time."""
    table = tables.told
    query = sa.select(table.c.reference, table.c.line, table.c.amount, table.c.at).where(*_key(table, link))
    found = connection.execute(query.order_by(table.c.at, table.c.line))
    return [ToldRow(row[0], row[1], Sen(row[2]), UnixMs(row[3])) for row in found]


def keep_told(connection: Connection, link: Link, rows: list[ToldRow]) -> None:
    """Keep lines that are new."""
    if rows:
        connection.execute(sa.insert(tables.told), [{**_of_link(link), **one._asdict()} for one in rows])


def put_check(connection: Connection, check: CheckRow) -> None:
    """Keep what a night found of a link, in place of what an earlier run of it found."""
    table = tables.checks
    key = (table.c.partition == check.partition, table.c.uid == check.uid, table.c.ordinal == check.ordinal)
    connection.execute(sa.delete(table).where(*key, table.c.business_date == check.business_date))
    connection.execute(sa.insert(table), asdict(check))


def checks_of(connection: Connection, day: Day) -> list[CheckRow]:
    """What a night found, link by link."""
    table = tables.checks
    names = [one.name for one in fields(CheckRow)]
    query = sa.select(*(table.c[name] for name in names)).where(table.c.business_date == day)
    return [CheckRow(*row) for row in connection.execute(query.order_by(table.c.uid, table.c.ordinal))]


def numbers_of(connection: Connection, card: Card) -> list[tuple[str, str]]:
    """A card's virtual accounts: bank and number."""
    table = tables.numbers
    mine = (table.c.partition == card.partition, table.c.uid == card.uid)
    query = sa.select(table.c.bank, table.c.number).where(*mine).order_by(table.c.bank)
    return [(bank, number) for bank, number in connection.execute(query)]


def is_opened(connection: Connection, partition: int, bank: str, number: str) -> bool:
    """True where a bank opened this virtual account."""
    table = tables.numbers
    key = (table.c.partition == partition, table.c.bank == bank, table.c.number == number)
    return connection.execute(sa.select(table.c.uid).where(*key)).first() is not None


def keep_number(connection: Connection, card: Card, bank: str, number: str, at: UnixMs) -> None:
    """Keep a virtual account that a bank opened."""
    if not is_opened(connection, card.partition, bank, number):
        values = {
            "partition": card.partition,
            "number": number,
            "bank": bank,
            "uid": card.uid,
            "opened_at": at,
        }
        connection.execute(sa.insert(tables.numbers), values)


def _link(row: Any) -> Link:
    return Link(
        row.partition, row.uid, row.ordinal, row.bank, LinkState(row.state), tuple(Consent(one) for one in row.purposes.split()),
        UnixMs(row.consented_at), UnixMs(row.revoked_at), row.digits, bytes(row.sealed),
    )  # fmt: skip
