"""What the changing commands print when they are done: a few lines for a person, or one JSON document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from hebat.cards import naming
from hebat.cards.reading import LOCKED_UNTIL
from hebat.cards.showing import console, facts
from terminals.tap import Colour

if TYPE_CHECKING:
    from card.layout import Identity
    from hebat.cards.counter import Loaded
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
    """Prints a load that is on the card at once, before the card is given newer keys; `first` is the number that this load's record gets."""

    def __init__(self, wanted: Rupiah, first: int) -> None:
        self._wanted = wanted
        self._first = first

    def __call__(self, outcome: Outcome) -> None:
        """How the load ended; what is not green is said otherwise."""
        if outcome.colour is not Colour.GREEN:
            return
        amount, balance = naming.money(outcome.amount), outcome.balance
        holds = "" if balance is None else f" The card holds [bold]{naming.money(balance)}[/bold]."
        if outcome.sequence < self._first:
            console().print(
                f"[bold]{amount} of an earlier load[/bold] turned out to be on the card.{holds} Nothing more was loaded: "
                f"to load {naming.money(self._wanted)}, give the command again."
            )
        else:
            console().print(f"[bold]{amount} loaded.[/bold]{holds}")


def show_sent(loaded: Loaded) -> None:
    """What is left to say of a load that was shown."""
    if not loaded.told:
        typer.echo("The ledger has not taken the record yet: it goes up with the next load.", err=True)


def loaded_json(loaded: Loaded) -> dict[str, Any]:
    """A load, for machines; money in whole rupiah."""
    outcome = loaded.outcome
    return {
        "loaded": outcome.amount, "balance": outcome.balance, "sequence": outcome.sequence, "earlier": loaded.earlier,
        "ledger_has_it": loaded.told,
    }  # fmt: skip


def show_lock(identity: Identity, balance: Rupiah) -> None:
    """A card that was locked, or put back into use."""
    number, held = naming.grouped(identity.card_number), naming.money(balance)
    if identity.valid_until == LOCKED_UNTIL:
        console().print(f"[bold]Card {number} is locked.[/bold] No terminal takes it; it holds {held}.")
    else:
        until = naming.day(identity.valid_until)
        console().print(f"[bold]Card {number} is in use again[/bold] until {until}; it holds {held}.")
