"""How much may be written off in one entry, as the city's staff decided it; there is no limit before they do.

What is over it is adjusted against whom it belongs to, or waits until the limit is raised: a page of the rulebook, with author and reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from keys.errors import MoneyError
from keys.money import Sen, display, parse, plain
from keys.quoting import quoted
from settlement.breaks.proposals.kept import ProposalKind
from settlement.errors import BreakRefused, RuleRefused
from settlement.rulebook import store as rulebook
from settlement.rulebook.model import RuleKind

if TYPE_CHECKING:
    from keys.clock import UnixMs
    from ledger.store import Connection
    from settlement.rulebook.book import Rulebook
    from settlement.rulebook.model import Page

NAME: Final = "most"
"""The page of the rulebook that holds the limit, one version after the other."""


def limit_of(name: str, told: Any) -> Sen | None:
    """The limit that a page says: `{"at_most": "50000.00"}` in rupiah, null for none. Raises RuleRefused."""
    if name != NAME:
        raise RuleRefused(f"{quoted(name)}: the page that limits write-offs is called {NAME}")
    if not isinstance(told, dict) or set(told) != {"at_most"}:
        raise RuleRefused("a limit of write-offs has the field at_most")
    if told["at_most"] is None:
        return None
    try:
        most = parse(told["at_most"]) if isinstance(told["at_most"], str) else Sen(-1)
    except MoneyError:
        most = Sen(-1)
    if most < 0:
        raise RuleRefused(
            f'at_most is {quoted(told["at_most"])}: rupiah as text, such as "50000.00", or null'
        )
    return most


def limit_now(connection: Connection) -> Sen | None:
    """The limit that holds now, in sen; None where there is none. Raises RuleRefused for a page that is none."""
    pages = rulebook.pages(connection, RuleKind.WRITE_OFF, NAME)
    return limit_of(NAME, pages[-1].told) if pages else None


def decide(book: Rulebook, most: Sen | None, *, author: str, reason: str, at: UnixMs) -> Page:
    """Keep a limit, or that there is none (None); it holds from now on, for what waits too. Raises RuleRefused."""
    content = {"at_most": None if most is None else plain(most)}
    limit_of(NAME, content)
    return book.add(RuleKind.WRITE_OFF, NAME, content, author=author, reason=reason, at=at)


def need_within(connection: Connection, kind: ProposalKind, amount: Sen) -> None:
    """Raises BreakRefused for a write-off over the limit."""
    if kind is not ProposalKind.WRITE_OFF:
        return
    most = limit_now(connection)
    if most is not None and amount > most:
        raise BreakRefused(
            f"{display(amount)} is over the {display(most)} that may be written off at once: adjust it against whom it belongs to,"
            " or have the limit raised"
        )
