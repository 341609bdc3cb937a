"""Holds, as the journal shows them; a client sees those on wallets, for its own party."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keys.clock import UnixMs
from keys.money import Sen
from ledger import store
from ledger.chart import AccountId, Code, split
from ledger.errors import HoldUnknown
from ledger.transfer import Flag, Kind

if TYPE_CHECKING:
    from ledger.book import Ledger
    from ledger.clients.scopes import Client
    from ledger.store import Connection


@dataclass(frozen=True, slots=True)
class Held:
    """A hold: what it would move, from where to where, and when its time is over (0: never)."""

    debit: AccountId
    credit: AccountId
    amount: Sen
    kind: Kind
    received_at: UnixMs
    expires_at: UnixMs


def find_hold(connection: Connection, number: int, client: Client) -> Held:
    """A hold by its journal position; raises HoldUnknown where it is none of this client's."""
    row = next((rows[0] for rows in store.read_rows(connection, number, number) if len(rows)), None)
    if row is not None and int(row["flags"]) & Flag.PENDING:
        debit, credit = AccountId(int(row["debit"])), AccountId(int(row["credit"]))
        ours = client.party is None or client.party.owns(credit)
        if split(debit).code is Code.WALLET and ours:
            amount, kind = Sen(int(row["amount"])), Kind(int(row["kind"]))
            return Held(
                debit, credit, amount, kind, UnixMs(int(row["received_at"])), UnixMs(int(row["hold"]))
            )
    raise HoldUnknown(f"you have no hold {number}")


def hold_of(ledger: Ledger, number: int, client: Client) -> tuple[Held, bool]:
    """A hold, and whether it is still pending; raises HoldUnknown."""
    with ledger.database.transaction() as connection:
        return find_hold(connection, number, client), ledger.is_pending(number)
