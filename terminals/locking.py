"""Blocked cards: which are refused, how a terminal locks the one that it sees, and when a locked card is taken again (decision 0048)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card.batch import Context
from card.layout import TapKind
from card.purse import Change
from keys.money import Rupiah
from terminals import offline
from terminals.fares import FareRefused
from terminals.tap import Wish

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.layout import LogRecord
    from card.purse import OpenCard
    from keys.clock import Clock
    from terminals.bundles.rules import Rules
    from terminals.offline import Standing


class Admission:
    """Whether a terminal takes a card at all."""

    def __init__(self, terminal: int, rules: Rules, clock: Clock, standing: Callable[[], Standing]) -> None:
        self._terminal = terminal
        self._rules = rules
        self._clock = clock
        self._standing = standing

    def need_admitted(self, uid: bytes) -> None:
        """Raises FareRefused where this terminal may not work alone any longer, CardBlocked where its list names the card."""
        at = self._clock.now()
        offline.need_trust(self._standing(), self._rules.limits(at), at)
        self._rules.need_admitted(uid)

    def need_unblocked(self, uid: bytes) -> None:
        """Raises CardBlocked where this terminal's list names the card: also for those who only look."""
        self._rules.need_admitted(uid)

    def need_released(self, newest: LogRecord | None) -> None:
        """For a locked card that the list does not name: raises FareRefused unless the list is newer than the one that it was locked by.

        `newest` is the card's newest log record: the lock's, for any later transaction would have ended the lock.
        """
        locked_by = newest.reference if newest is not None and newest.kind is TapKind.LOCK else None
        if locked_by is None or self._rules.hotlist_number() <= locked_by:
            raise FareRefused(
                "blocked",
                "the card was locked at another terminal, and no newer list lets it go: nothing was taken, ask at a counter",
            )

    def lock(self, open_: OpenCard, sequence: int) -> Wish:
        """What locks a card: a record that names the list that it was found on, and its journey file under the locked mark."""
        at = self._clock.now()
        change = Change(
            TapKind.LOCK, Rupiah(0), open_.locked_journey(), self._terminal, sequence, at, self._rules.hotlist_number()
        )  # fmt: skip
        return Wish(change, Context(rules=("locked",)))
