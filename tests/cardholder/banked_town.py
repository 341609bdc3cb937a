"""A city with a line to one bank, both on the story's clock: what tests of the Saving pocket's pages share."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from hebat.bank_commands import lines
from hebat.folder import Folder
from hebat.serving import LoopbackServer
from hebat.story_clock import StoryClock
from settlement.partner_bank.asgi import BankApplication
from tests.cardholder.town import Town
from tests.founding import found
from tests.ledger.desk import NOON
from tests.settlement.banked import OURS, SECRET, make_bank, make_vault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from settlement.partner_bank.bank import PartnerBank


@contextmanager
def banked_town(folder: Path) -> Iterator[tuple[Town, PartnerBank]]:
    """The city open behind its server, and the bank behind its own."""
    place, clock = Folder(folder / "city"), StoryClock(NOON)
    found(place, clock, "demo")
    bank = make_bank(folder / "bank.db", clock, make_vault(folder))
    with LoopbackServer(BankApplication(bank)) as served:
        public = lines.add(place, lines.Partner(
            "bni", 9, "bni", served.address, "ksh-client", "KSH", OURS, title="Bank Negara Indonesia", service_id="   88010",
        ), SECRET)  # fmt: skip
        with bank.books.session() as session:
            session.add_client("ksh-client", "KSH", public)
            session.bind(session.binding("reference", "BOUND")._replace(is_active=False))  # type: ignore[union-attr]
        with Town.open(folder / "city", fresh=False) as town:
            bank.clock = town.scene.clock
            yield town, bank
    bank.books.close()
