"""The bank's own books, in an SQLite file of their own: accounts, entries, what came under which reference. Double entry throughout."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from keys.clock import UnixMs
from keys.money import Sen
from settlement.snap.codes import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keys.clock import Day

CLEARING: Final = "0000000001"
"""The bank's account with all other banks; it may go below zero."""
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS accounts (number TEXT PRIMARY KEY, name TEXT NOT NULL, balance INTEGER NOT NULL, active INTEGER NOT NULL DEFAULT 1,
  code TEXT UNIQUE, CHECK (balance >= 0 OR number = '0000000001'));
CREATE TABLE IF NOT EXISTS entries (id INTEGER PRIMARY KEY, account TEXT NOT NULL, amount INTEGER NOT NULL, balance INTEGER NOT NULL,
  at INTEGER NOT NULL, day INTEGER NOT NULL, reference TEXT NOT NULL, bank_reference TEXT NOT NULL, text TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS entries_by_account ON entries (account, day);
CREATE TABLE IF NOT EXISTS transfers (client TEXT NOT NULL, reference TEXT NOT NULL, service INTEGER NOT NULL, amount INTEGER NOT NULL,
  source TEXT NOT NULL, beneficiary TEXT NOT NULL, text TEXT NOT NULL, at INTEGER NOT NULL, day INTEGER NOT NULL, status TEXT NOT NULL,
  bank_reference TEXT NOT NULL, PRIMARY KEY (client, reference));
CREATE TABLE IF NOT EXISTS external_ids (client TEXT NOT NULL, day INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY (client, day, id));
CREATE TABLE IF NOT EXISTS virtual_accounts (number TEXT PRIMARY KEY, client TEXT NOT NULL, name TEXT NOT NULL, trx TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS bindings (token TEXT PRIMARY KEY, client TEXT NOT NULL, reference TEXT NOT NULL, account TEXT NOT NULL,
  active INTEGER NOT NULL DEFAULT 1, UNIQUE (client, reference));
CREATE TABLE IF NOT EXISTS clients (id TEXT PRIMARY KEY, partner TEXT NOT NULL, public_key TEXT NOT NULL);
"""


class Account(NamedTuple):
    """An account: whose it is, what it holds in sen, whether it may be used, the code by which its holder consents ("": none is asked for)."""

    number: str
    name: str
    balance: Sen
    is_active: bool
    code: str


class Binding(NamedTuple):
    """A holder's consent: the client that it was given to, the token that stands for it, the account, whether it still holds."""

    token: str
    client: str
    reference: str
    account: str
    is_active: bool


class Entry(NamedTuple):
    """A movement of an account: sen, positive where it grows, and the balance after it."""

    amount: Sen
    balance: Sen
    at: UnixMs
    day: int
    reference: str
    bank_reference: str
    text: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A transfer that was asked for, and what became of it ("00" done, "03" under way, "06" failed)."""

    client: str
    reference: str
    service: Service
    amount: Sen
    source: str
    beneficiary: str
    text: str
    at: UnixMs
    day: Day
    status: str
    bank_reference: str

    def is_same(self, other: Kept) -> bool:
        """Whether another asks for the same."""
        return (self.service, self.amount, self.source, self.beneficiary) == (
            other.service, other.amount, other.source, other.beneficiary,
        )  # fmt: skip


class Books:
    """The books in a file; every `session` is one transaction, durable when it ends."""

    def __init__(self, path: Path | str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        self._connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + _SCHEMA)
        self._gate = threading.RLock()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """One transaction: all of it, or nothing where the block raises."""
        with self._gate:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield Session(self._connection)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")


class Session:
    """What can be read and written in one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def open_account(self, number: str, name: str, balance: Sen = Sen(0), code: str | None = None) -> None:
        """A new account; one that is there stays as it is. What it holds came from another bank."""
        found = self._connection.execute("SELECT 1 FROM accounts WHERE number = ?", (number,)).fetchone()
        if found is None:
            self._connection.execute(
                "INSERT INTO accounts (number, name, balance, code) VALUES (?, ?, ?, ?)",
                (number, name, balance, code),
            )

    def set_active(self, number: str, *, active: bool) -> None:
        """Let an account be used, or not."""
        self._connection.execute("UPDATE accounts SET active = ? WHERE number = ?", (int(active), number))

    def account(self, number: str) -> Account | None:
        """An account by its number."""
        return self._account("number", number)

    def by_code(self, code: str) -> Account | None:
        """The account whose holder was given this code."""
        return self._account("code", code)

    def by_token(self, client: str, token: str) -> Account | None:
        """The account whose holder gave a client this consent, while it holds."""
        found = self.binding("token", token)
        return self.account(found.account) if found is not None and found[1] == client and found[4] else None

    def binding(self, column: str, value: str) -> Binding | None:
        """A consent by its token or the client's reference, or an account's that holds."""
        query = "SELECT token, client, reference, account, active FROM bindings WHERE"
        found = self._connection.execute(f"{query} {column} = ? ORDER BY active DESC", (value,)).fetchone()
        if found is None:
            return None
        token, client, reference, account, active = found
        return Binding(token, client, reference, account, bool(active))

    def bind(self, made: Binding) -> None:
        """Keep a consent, or that it was taken back."""
        self._connection.execute(
            "INSERT OR REPLACE INTO bindings (token, client, reference, account, active) VALUES (?, ?, ?, ?, ?)",
            made,
        )

    def _account(self, column: str, value: str) -> Account | None:
        query = f"SELECT number, name, balance, active, code FROM accounts WHERE {column} = ?"  # noqa: S608  our own names
        row = self._connection.execute(query, (value,)).fetchone()
        return None if row is None else Account(row[0], row[1], Sen(row[2]), bool(row[3]), row[4] or "")

    def total(self) -> Sen:
        """All balances: what only opening an account changes."""
        return Sen(self._connection.execute("SELECT coalesce(sum(balance), 0) FROM accounts").fetchone()[0])

    def move(self, kept: Kept, debit: str, credit: str) -> None:
        """Two entries; raises sqlite3.IntegrityError where the debited account is short."""
        for number, amount in ((debit, -kept.amount), (credit, kept.amount)):
            self._connection.execute(
                "UPDATE accounts SET balance = balance + ? WHERE number = ?", (amount, number)
            )
            self._connection.execute(
                "INSERT INTO entries (account, amount, balance, at, day, reference, bank_reference, text)"
                " SELECT number, ?, balance, ?, ?, ?, ?, ? FROM accounts WHERE number = ?",
                (amount, kept.at, kept.day, kept.reference, kept.bank_reference, kept.text, number),
            )

    def entries(self, account: str, first: int, last: int) -> list[Entry]:
        """Movements of an account on some days, in order."""
        rows = self._connection.execute(
            "SELECT amount, balance, at, day, reference, bank_reference, text FROM entries"
            " WHERE account = ? AND day BETWEEN ? AND ? ORDER BY id",
            (account, first, last),
        )
        return [Entry(Sen(row[0]), Sen(row[1]), UnixMs(row[2]), *row[3:]) for row in rows]

    def kept(self, client: str, reference: str) -> Kept | None:
        """What a client asked under a reference."""
        row = self._connection.execute(
            "SELECT * FROM transfers WHERE client = ? AND reference = ?", (client, reference)
        ).fetchone()
        return None if row is None else Kept(row[0], row[1], Service(row[2]), *row[3:])

    def keep(self, kept: Kept) -> None:
        """Keep a transfer, or what became of it."""
        row = (
            kept.client, kept.reference, int(kept.service), kept.amount, kept.source, kept.beneficiary, kept.text, kept.at,
            kept.day, kept.status, kept.bank_reference,
        )  # fmt: skip
        self._connection.execute(f"INSERT OR REPLACE INTO transfers VALUES ({','.join('?' * len(row))})", row)  # noqa: S608

    def under_way(self) -> list[Kept]:
        """Transfers that were taken, and not done yet."""
        rows = self._connection.execute("SELECT * FROM transfers WHERE status = '03' ORDER BY at")
        return [Kept(row[0], row[1], Service(row[2]), *row[3:]) for row in rows]

    def done(self, reference: str) -> int:
        """How often a reference moved money on the debited side: never more than once."""
        query = "SELECT count(*) FROM entries WHERE reference = ? AND amount < 0"
        return int(self._connection.execute(query, (reference,)).fetchone()[0])

    def number_of_transfers(self) -> int:
        """How many transfers were ever asked for."""
        return int(self._connection.execute("SELECT count(*) FROM transfers").fetchone()[0])

    def take_external_id(self, client: str, day: Day, external_id: str) -> bool:
        """Note an id; False where the client used it on this day."""
        found = self._connection.execute(
            "INSERT OR IGNORE INTO external_ids VALUES (?, ?, ?)", (client, day, external_id)
        )
        return found.rowcount == 1

    def open_virtual_account(self, number: str, client: str, name: str, trx: str, body: str) -> bool:
        """A new virtual account; False where the number is taken for something else."""
        found = self._connection.execute(
            "SELECT client, trx FROM virtual_accounts WHERE number = ?", (number,)
        ).fetchone()
        if found is not None:
            return bool(found == (client, trx))
        self._connection.execute(
            "INSERT INTO virtual_accounts VALUES (?, ?, ?, ?, ?)", (number, client, name, trx, body)
        )
        return True

    def number_of_virtual_accounts(self) -> int:
        """How many were ever opened."""
        return int(self._connection.execute("SELECT count(*) FROM virtual_accounts").fetchone()[0])

    def virtual_account(self, number: str) -> tuple[str, str] | None:
        """The client for which a virtual account was opened, and the client's reference (`trxId`)."""
        row = self._connection.execute(
            "SELECT client, trx FROM virtual_accounts WHERE number = ?", (number,)
        ).fetchone()
        return None if row is None else (str(row[0]), str(row[1]))

    def clients(self) -> dict[str, tuple[str, str]]:
        """Partner id and public key by client id."""
        return {row[0]: (row[1], row[2]) for row in self._connection.execute("SELECT * FROM clients")}

    def add_client(self, client: str, partner: str, public_key: str) -> None:
        """Let a client in, or give it another key."""
        self._connection.execute(
            "INSERT OR REPLACE INTO clients VALUES (?, ?, ?)", (client, partner, public_key)
        )
