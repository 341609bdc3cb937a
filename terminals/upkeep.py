"""A terminal and its ledger: what goes up, which bundles and keys come down, and how long they have not heard of each other."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from keys.clock import UnixMs
from terminals import cashing, loading, offline
from terminals.bundles.fetch import Refreshed, refresh
from terminals.bundles.rules import Rules
from terminals.errors import TerminalError

if TYPE_CHECKING:
    from types import TracebackType

    from keys.clock import Clock
    from keys.vault import Vault
    from terminals.bundles.kept import KeptBundles
    from terminals.cashing import Compared
    from terminals.enrolment import Renewal
    from terminals.fares import Tariff
    from terminals.handout import NewestKeys
    from terminals.offline import Standing
    from terminals.outbox import Outbox
    from terminals.shifts import Shift
    from terminals.upload import Link, Uploaded

GIVE_UP_SECONDS = 120
"""How long a torn card may take to come back before its intent goes up as unconfirmed."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a terminal is made of; `tariff` holds until one comes by bundle. `writes_loads`: its certificate lets it write loads."""

    number: int
    outbox: Outbox
    vault: Vault
    link: Link
    clock: Clock
    tariff: Tariff
    bundles: KeptBundles | None = None
    renewal: Renewal | None = None
    keys: NewestKeys | None = None
    writes_loads: bool = False


class Upkeep:
    """What keeps a terminal and its ledger of one mind, whoever stands before it."""

    def __init__(self, parts: Parts) -> None:
        self.number = parts.number
        self.outbox = parts.outbox
        self._parts = parts
        self._rules = Rules(parts.bundles, parts.tariff, parts.clock)
        self._waiting: frozenset[bytes] = frozenset()
        """The cards for which the ledger has said that a load waits."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parts.link.close()
        self.outbox.close()

    def upload(self) -> Uploaded:
        """Send what is ready; intents that waited too long go up as unconfirmed.

        The certificate is renewed on the way, once it is due. Raises Offline, UploadRefused, ReceiptWrong, CertificateEnded; nothing is lost then.
        """
        self.outbox.release_before(UnixMs(self._parts.clock.now() - 1000 * GIVE_UP_SECONDS))
        return self._sent()

    def close_shift(self) -> Uploaded:
        """End the shift: cards that have not come back will not; send everything."""
        self.outbox.release_before(UnixMs(self._parts.clock.now() + 1))
        return self._sent()

    def cash_up(self, shift: Shift) -> Compared:
        """A closed shift against the ledger's books; raises Offline, UploadRefused."""
        return cashing.ask(self._parts.link, shift, self._parts.clock.now())

    def _sent(self) -> Uploaded:
        if self._parts.renewal is not None:
            self._parts.renewal.if_due()
        done = self._parts.link.upload(self.outbox)
        self.refresh()
        if self._parts.keys is not None:
            self._parts.keys.if_due(self._rules)
        if self._parts.writes_loads:
            with suppress(TerminalError):  # as good as the last answer, then
                self._waiting = loading.waiting(self._parts.link, self._parts.clock.now())
        return done

    def refresh(self) -> Refreshed:
        """Fetch the city's newer bundles; never raises: what is here stays in force."""
        bundles = self._parts.bundles
        if bundles is None:  # nobody blocks cards in this city: having been heard is all there is to know
            self.outbox.note_contact(self._parts.clock.now(), None)
            return Refreshed()
        done = refresh(bundles, self._parts.link, self._parts.clock)
        if done.heard_at and done.hotlist_current:
            self.outbox.note_contact(done.heard_at, done.drift_ms)
        return done

    @property
    def standing(self) -> Standing:
        """Contact, clock and debt, as the outbox knows them."""
        return self.outbox.standing(self._parts.clock.now())

    def warnings(self) -> tuple[str, ...]:
        """What the screen should say before anything is refused: keys of its texts."""
        at = self._parts.clock.now()
        return offline.warnings(self.standing, self._rules.limits(at), at)
