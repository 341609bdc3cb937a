"""Cards and gates of the day: one virtual card a card id, loaded when it runs low, tapped at the file's stops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from card.layout import Concession
from hebat.day.town import GATES, ISSUERS
from hebat.errors import HebatError, TapsRefused
from keys.clock import UnixMs, day_of, local
from keys.money import Rupiah
from terminals.fares import Place
from terminals.tap import Colour

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hebat.day.fates import Ruling
    from hebat.day.feed import Stop
    from hebat.day.trips import Trip
    from hebat.issuing import Issued, Issuer
    from hebat.story_clock import StoryClock
    from terminals.tap import Outcome
    from terminals.terminal import Terminal

LOW: Final = Rupiah(50_000)
LOADED: Final = Rupiah(200_000)
UPLOAD_EVERY_MS: Final = 30 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Tap:
    """One end of a trip, and the number of its route; tap-outs of a moment come before tap-ins, so that a card may change buses within a second."""

    at: UnixMs
    is_in: bool
    trip: Trip
    stop: Stop
    route: int

    @property
    def order(self) -> tuple[int, bool, int]:
        """When it happens."""
        return self.at, self.is_in, self.trip.line


def taps_of(
    trips: list[Trip],
    rulings: dict[int, Ruling],
    places: dict[int, tuple[Stop, Stop | None]],
    routes: dict[int, int],
) -> list[Tap]:
    """The taps of trips in order of time; `routes` holds the number of each row's route by its line, 0 where nobody knows it."""
    return sorted(_taps(trips, rulings, places, routes), key=lambda tap: tap.order)


def _taps(
    trips: list[Trip],
    rulings: dict[int, Ruling],
    places: dict[int, tuple[Stop, Stop | None]],
    routes: dict[int, int],
) -> Iterator[Tap]:
    for trip in trips:
        if not rulings[trip.line].runs:
            continue
        tap_in, tap_out = places[trip.line]
        yield Tap(trip.tap_in_at, is_in=True, trip=trip, stop=tap_in, route=routes[trip.line])
        if tap_out is not None and trip.tap_out_at is not None:
            yield Tap(trip.tap_out_at, is_in=False, trip=trip, stop=tap_out, route=routes[trip.line])


def place_of(tap: Tap, gate: int) -> Place:
    """Where a tap is made."""
    return Place(tap.trip.corridor[:64], tap.stop.name[:64], tap.route, tap.stop.number, gate)


class Riders:
    """All cards seen so far, and the machines that they meet."""

    def __init__(self, issuer: Issuer, gates: list[Terminal], kiosk: Terminal, clock: StoryClock) -> None:
        self._issuer = issuer
        self._gates = gates
        self._kiosk = kiosk
        self._clock = clock
        self._cards: dict[str, Issued] = {}
        self._next_upload = UnixMs(0)
        self.records = 0

    @property
    def cards(self) -> list[Issued]:
        """All cards issued so far."""
        return list(self._cards.values())

    def issue(self, trips: list[Trip], path: str) -> int:
        """Issue the cards of these trips that nobody holds yet; how many.

        Raises TapsRefused for an issuer that is no participant.
        """
        fresh: dict[str, Issued] = {}
        for trip in trips:
            if trip.card in self._cards or trip.card in fresh:
                continue
            if trip.issuer not in ISSUERS:
                known = ", ".join(sorted(ISSUERS))
                raise TapsRefused(
                    path, trip.line, "payCardBank", f"{trip.issuer!r} is no issuer here: one of {known}"
                )
            serial = len(self._cards) + len(fresh) + 1
            today = day_of(local(self._clock.now()).date())
            fresh[trip.card] = self._issuer.issue(
                ISSUERS[trip.issuer], serial, Concession.GENERAL, today, registered=True
            )
        if fresh:
            self._issuer.register(list(fresh.values()))
        self._cards |= fresh
        return len(fresh)

    def tap(self, tap: Tap) -> None:
        """One tap at a gate, after a load where the card runs low.

        Raises HebatError where a terminal does not go green: the file's own faults were sorted out before.
        """
        self._clock.move_to(tap.at)
        card = self._cards[tap.trip.card]
        card.chip.leave_field()
        if tap.is_in and card.chip_balance < LOW:
            self._green(self._kiosk.load(card.chip, LOADED), tap)
        gate = self._gates[tap.stop.number % GATES]
        place = place_of(tap, gate.number)
        self._green(gate.tap_in(card.chip, place) if tap.is_in else gate.tap_out(card.chip, place), tap)
        self._upload_when_due()

    def _green(self, outcome: Outcome, tap: Tap) -> None:
        if outcome.colour is not Colour.GREEN:
            raise HebatError(f"line {tap.trip.line}: the terminal went {outcome.colour} ({outcome.detail})")

    def _upload_when_due(self) -> None:
        if self._clock.now() >= self._next_upload:
            self._next_upload = UnixMs(self._clock.now() + UPLOAD_EVERY_MS)
            self.upload()

    def upload(self) -> None:
        """Everybody sends what they have."""
        for terminal in (*self._gates, self._kiosk):
            self.records += terminal.close_shift().sent
