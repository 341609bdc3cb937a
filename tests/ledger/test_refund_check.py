"""What is kept of refunds to wallets is held against the chain: any row that was changed, added or taken out behind the ledger's back is found and named."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from hebat.ledger_commands.place import Place
from hebat.progress import Quiet
from hebat.verifying import verify_place
from ledger.book import Ledger
from ledger.clients.scopes import Scope
from ledger.errors import DatabaseDamaged
from ledger.orders.refund_check import RefundCheck
from ledger.store import Database
from ledger.verify import verify
from tests.ledger.damaged import Damaged
from tests.ledger.entries import SetClock
from tests.ledger.served import Served
from tests.ledger.test_proofs_checkpoints import add_tables as add_proof_tables
from tests.ledger.test_wallet_refunds import NOON, bought, give_back
from tests.ledger.unguarded import unguard

FIRST, SECOND = 300_000, 50_000
"""Two refunds of one payment, which give it back whole; a third is of another payment."""


@pytest.fixture(scope="module")
def filled(module_url: str) -> Database:
    """A ledger with three refunds of two payments, on each database."""
    with Ledger.open(module_url, SetClock(NOON)) as ledger, Served(ledger) as served:
        shop = served.client("shop", *Scope)
        payment, other = bought(shop, 1), bought(shop, 2)
        for serial, paid, amount in ((1, payment, FIRST), (2, other, 1_000), (1, payment, SECOND)):
            assert give_back(shop, serial, paid, amount).status_code == 201
    add_proof_tables(module_url)
    return Database(module_url)


def looked_at(database: Database, change: str = "") -> int:
    check = RefundCheck()
    verify(database, inspect=check.inspect)
    return check.finish(Damaged(database, change) if change else database)


def test_what_the_ledger_kept_is_what_its_chain_says(filled: Database) -> None:
    assert looked_at(filled) == 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE wallet_refunds SET amount = amount - 1 WHERE amount = 1000", "kept as 999 sen of payment"),
        ("UPDATE wallet_refunds SET payment = payment + 1 WHERE amount = 1000", "which the chain does not say"),
        ("UPDATE wallet_refunds SET position = 1 WHERE amount = 1000", "refund 1 is kept as 1000 sen"),
        ("UPDATE wallet_refunds SET partition = (partition + 1) % 16 WHERE amount = 1000", "which has less"),
        ("DELETE FROM wallet_refunds WHERE amount = 1000", "of the chain is not kept"),
        ("INSERT INTO wallet_refunds SELECT (partition + 1) % 16, payment, position, amount FROM wallet_refunds WHERE amount = 1000", "or one twice"),
        ("UPDATE transfers SET amount = amount - 1 WHERE kind = 3 AND uid = 0 AND amount = 350000", "which has less"),
    ],
)  # fmt: skip
def test_a_refund_changed_behind_the_ledgers_back_is_found_and_named(
    filled: Database, change: str, said: str
) -> None:
    with pytest.raises(DatabaseDamaged, match=said):
        looked_at(filled, change)
    assert looked_at(filled) == 3


def test_verifying_a_ledger_counts_its_refunds_and_names_one_that_is_another(filled: Database) -> None:
    place = Place(str(filled.url.render_as_string(hide_password=False)), None)
    assert verify_place(place, Quiet()).as_json()["refunds"] == 3
    with filled.transaction() as connection:
        unguard(connection)
        connection.execute(sa.text("UPDATE wallet_refunds SET amount = 1 WHERE amount = 1000"))
        connection.commit()
    with pytest.raises(DatabaseDamaged, match="kept as 1 sen of payment"):
        verify_place(place, Quiet())
    with filled.transaction() as connection:
        unguard(connection)
        connection.execute(sa.text("UPDATE wallet_refunds SET amount = 1000 WHERE amount = 1"))
        connection.commit()
    assert verify_place(place, Quiet()).refunds == 3
