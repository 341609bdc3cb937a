"""An export whose refunds to wallets are not those that its chain names is not taken in: what is kept of refunds decides what may be given back later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ledger.book import Ledger
from ledger.clients.scopes import Scope
from ledger.errors import DatabaseDamaged
from ledger.exports import store
from ledger.store import Database
from tests.ledger.entries import SetClock
from tests.ledger.served import Served
from tests.ledger.test_exports import forged, more, new_ledger, out, taken
from tests.ledger.test_wallet_refunds import NOON, bought, give_back

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import polars as pl

FORGERIES: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], str]] = {
    "an amount": (more("amount"), "which the chain does not say"),
    "a payment": (more("payment"), "which the chain does not say"),
    "a place": (more("position"), "which the chain does not say"),
    "one is left out": (lambda frame: frame.head(1), "of the chain is not kept"),
    "all are left out": (lambda frame: frame.head(0), "of the chain is not kept"),
}


@pytest.fixture(scope="module")
def given_back(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export of a ledger that gave back parts of two payments."""
    folder = tmp_path_factory.mktemp("given-back")
    url = new_ledger(folder / "ledger.db")
    with Ledger.open(url, SetClock(NOON)) as ledger, Served(ledger) as served:
        shop = served.client("shop", *Scope)
        for serial, amount in ((1, 300_000), (2, 1_000)):
            assert give_back(shop, serial, bought(shop, serial), amount).status_code == 201
    out(url, folder / "export")
    return folder


def test_an_export_with_its_refunds_is_taken_in_and_exported_again_as_the_same_bytes(
    given_back: Path, tmp_path: Path
) -> None:
    target = new_ledger(tmp_path / "target.db")
    taken(target, given_back / "export")
    again, before = (
        out(target, tmp_path / "again"),
        out(f"sqlite:///{given_back / 'ledger.db'}", tmp_path / "before"),
    )
    assert again == before
    assert any("wallet_refunds" in name for name in again)


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_refunds_with_a_manifest_that_fits_are_named_and_nothing_is_taken_in(
    given_back: Path, tmp_path: Path, forgery: str
) -> None:
    change, said = FORGERIES[forgery]
    url, target = f"sqlite:///{given_back / 'ledger.db'}", new_ledger(tmp_path / "target.db")
    out(url, tmp_path / "export")
    forged(tmp_path / "export", change, "wallet_refunds")
    with pytest.raises(DatabaseDamaged, match=said):
        taken(target, tmp_path / "export")
    database = Database(target)
    with database.transaction() as connection:
        assert store.is_empty(connection, store.table_named((), "transfers"))
    database.close()
