"""The fare rules as the ledger asks for them: a card's signed taps become taps of the fare engine, under the tariff and calendar of their time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from keys.bundle import LABEL, BundleKind, opened
from keys.money import Rupiah
from ledger.journeys.fares import Wanted
from terminals.bundles.contents import decode_calendar
from terminals.fares import Place
from terminals.fares.rebuild import RideTap, rebuild

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hebat.known_tariffs import KnownTariffs
    from keys.clock import Day, UnixMs
    from keys.vault import Vault
    from ledger.bundles.shelf import Shelf
    from ledger.journeys.fares import Ride
    from terminals.fares import Tariff

_STOP_BITS = 32


class FareRules:
    """Implements `ledger.journeys.fares.Fares` over the tariffs that terminals use."""

    def __init__(self, tariffs: KnownTariffs, shelf: Shelf, vault: Vault) -> None:
        self._tariffs = tariffs
        self._shelf = shelf
        self._vault = vault
        self._holidays: dict[int, frozenset[Day]] = {}
        self._merged: dict[str, Tariff | None] = {}

    def corrections(self, rides: Sequence[Ride], now: UnixMs) -> list[Wanted]:
        """What the rules make different of one card's taps."""
        calendars = [one for one in self._shelf.all() if one.kind is BundleKind.CALENDAR] if rides else []
        taps = []
        for ride in rides:
            at = ride.occurred_at
            told = [one.number for one in calendars if one.issued_at <= at and one.valid_from <= at]
            taps.append(_tap(ride, f"{ride.tariff} {max(told, default=0)}"))
        done = rebuild(taps, self._under, now)
        return [Wanted(one.tmc, one.amount, one.code) for one in done.corrections]

    def _under(self, name: str) -> Tariff | None:
        """A tariff with the holidays of a calendar, by "version number"; None for a version that the city does not know."""
        if name not in self._merged:
            version, _, number = name.rpartition(" ")
            known = self._tariffs.find(version)
            if known is None:
                return None  # it may come yet
            self._merged[name] = replace(known, holidays=known.holidays | self._calendar(int(number)))
        return self._merged[name]

    def _calendar(self, number: int) -> frozenset[Day]:
        if not number:
            return frozenset()
        if number not in self._holidays:
            data = self._shelf.data(BundleKind.CALENDAR, number)
            body = opened(data, self._vault.public_key(LABEL)).body
            self._holidays[number] = decode_calendar(body)
        return self._holidays[number]


def _tap(ride: Ride, tariff: str) -> RideTap:
    """A ride as the fare engine takes it; the card knows the terminal's place by numbers only."""
    signed = ride.transaction
    route, stop = divmod(signed.record.reference, 1 << _STOP_BITS)
    after = signed.journey_after
    vehicle = after.last_terminal if after is not None else signed.record.terminal
    return RideTap(
        ride.tmc, signed.record.kind, ride.occurred_at, Place("", "", route, stop, vehicle),
        Rupiah(signed.record.amount), tariff, signed.identity, signed.journey_before,
        after if after is not None else signed.journey_before, companion="companion" in ride.rules,
    )  # fmt: skip
