"""What the changing commands print when they are done: a few lines for a person, or one JSON document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hebat.cards import naming
from hebat.cards.reading import LOCKED_UNTIL
from hebat.cards.showing import facts
from hebat.printed import console
from terminals.tap import Colour

if TYPE_CHECKING:
    from card.layout import Identity
    from hebat.cards.making import Made
    from hebat.cards.naming import Names
    from keys.money import Rupiah
    from terminals.tap import Outcome


def show_made(made: Made, names: Names) -> None:
    """A new card, and the address of its balance page, which is not stored anywhere in clear."""
    who, out = made.identity, console()
    done = (
        "The card was one of this city's already; the ledger knows it now."
        if made.finished
        else "A new card of this city."
    )
    out.print(f"[bold]{done}[/bold]")
    out.print()
    rows = [
        ("Card number", naming.grouped(who.card_number)),
        ("Issuer", names.bank(who.issuer)),
        ("Rider", naming.rider(who)),
        ("Valid until", naming.day(who.valid_until)),
        ("UID", made.uid.hex(" ").upper()),
        ("Balance page", f"/c/{made.token}"),
    ]
    out.print(facts(rows))
    out.print("\nThe address of the balance page is shown this once: only its digest is kept.")


def made_json(made: Made) -> dict[str, Any]:
    """A new card, for machines."""
    return {
        "card_number": made.identity.card_number, "issuer": made.identity.issuer, "uid": made.uid.hex(),
        "balance_page": f"/c/{made.token}", "finished": made.finished,
    }  # fmt: skip


class LoadShown:
    """Says once that the card is loaded, as soon as it is and before the card is given newer keys; `first` is the number of this load's record.

    Green is the ledger's signed word: there is nothing left to wait for.
    """

    def __init__(self, wanted: Rupiah, first: int, *, as_json: bool = False) -> None:
        self._wanted = wanted
        self._first = first
        self._as_json = as_json
        self._said = False

    def __call__(self, outcome: Outcome) -> None:
        """How the load ended; what is not green is said otherwise."""
        if outcome.colour is not Colour.GREEN or self._said:
            return
        self._said = True
        earlier = outcome.sequence < self._first
        if self._as_json:
            print(json.dumps(loaded_json(outcome, earlier=earlier), indent=1), flush=True)  # noqa: T201  a reader at a pipe has it now
        else:
            console().print(self._sentence(outcome, earlier=earlier))

    def _sentence(self, outcome: Outcome, *, earlier: bool) -> str:
        amount, balance = naming.money(outcome.amount), outcome.balance
        holds = "" if balance is None else f" The card holds [bold]{naming.money(balance)}[/bold]."
        if not earlier:
            return f"[bold]{amount} loaded.[/bold]{holds}"
        return (
            f"[bold]{amount} of an earlier load[/bold] turned out to be on the card.{holds} Nothing more was loaded: "
            f"to load {naming.money(self._wanted)}, give the command again."
        )


def loaded_json(outcome: Outcome, *, earlier: bool) -> dict[str, Any]:
    """A load that the ledger has, for machines; money in whole rupiah; `earlier` where it was one of before whose answer had been lost."""
    return {
        "loaded": outcome.amount, "balance": outcome.balance, "sequence": outcome.sequence, "earlier": earlier,
    }  # fmt: skip


def show_lock(identity: Identity, balance: Rupiah) -> None:
    """A card that was locked, or put back into use."""
    number, held = naming.grouped(identity.card_number), naming.money(balance)
    if identity.valid_until == LOCKED_UNTIL:
        console().print(f"[bold]Card {number} is locked.[/bold] No terminal takes it; it holds {held}.")
    else:
        until = naming.day(identity.valid_until)
        console().print(f"[bold]Card {number} is in use again[/bold] until {until}; it holds {held}.")
