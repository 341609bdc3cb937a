"""What holds at a terminal at a moment: by bundle where one is in force, else as it was enrolled."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from keys.bundle import BundleKind
from terminals.bundles.contents import USUAL_LIMITS, Limits
from terminals.fares import CardBlocked, FareRefused

if TYPE_CHECKING:
    from typing import Any

    from keys.clock import Clock, UnixMs
    from keys.money import Rupiah
    from keys.vault import Role
    from terminals.bundles.kept import KeptBundles
    from terminals.fares import Tariff


class Rules:
    """The rules of one terminal; without bundles, those that it was enrolled with."""

    def __init__(self, bundles: KeptBundles | None, enrolled: Tariff, clock: Clock) -> None:
        self._bundles = bundles
        self._enrolled = enrolled
        self._clock = clock
        self._merged: tuple[Any, Any, Tariff] | None = None

    def _content(self, kind: BundleKind, at: UnixMs) -> Any:
        held = self._bundles.in_force(kind, at) if self._bundles is not None else None
        return None if held is None else held.content

    def tariff(self, at: UnixMs) -> Tariff:
        """The tariff of a moment, with the calendar's holidays."""
        tariff, holidays = self._content(BundleKind.TARIFF, at), self._content(BundleKind.CALENDAR, at)
        if self._merged is None or self._merged[0] is not tariff or self._merged[1] is not holidays:
            base: Tariff = tariff or self._enrolled
            merged = base if holidays is None else replace(base, holidays=base.holidays | holidays)
            self._merged = (tariff, holidays, merged)
        return self._merged[2]

    def need_admitted(self, uid: bytes) -> None:
        """Raises CardBlocked for a card that the hotlist names, FareRefused where the list that was here was damaged: nobody knows whom it named."""
        at = self._clock.now()
        blocked = self._content(BundleKind.HOTLIST, at)
        if self._bundles is not None and self._bundles.is_lost(BundleKind.HOTLIST, at):
            raise FareRefused(
                "offline-too-long",
                "this terminal's list of blocked cards was damaged: connect this terminal, which fetches it again",
            )
        if blocked is not None and uid in blocked:
            raise CardBlocked("blocked", "the card is blocked: nothing was taken, ask at a counter")

    def hotlist_number(self) -> int:
        """The number of the hotlist in force; 0 where there is none."""
        held = self._bundles.in_force(BundleKind.HOTLIST, self._clock.now()) if self._bundles else None
        return held.bundle.number if held is not None else 0

    def need_sale_within(self, amount: Rupiah, at: UnixMs) -> None:
        """Raises FareRefused for a sale over the city's limit (whole rupiah)."""
        most = self.limits(at).sale_max
        if amount > most:
            raise FareRefused("over-limit", f"one sale may take {most} rupiah at most: enter less")

    def need_load_within(self, amount: Rupiah, at: UnixMs) -> None:
        """Raises FareRefused for a load over the city's limit (whole rupiah)."""
        most = self.limits(at).load_max
        if amount > most:
            raise FareRefused("over-limit", f"one load may put {most} rupiah onto a card at most: load less")

    def limits(self, at: UnixMs) -> Limits:
        """The limits of a moment."""
        limits: Limits = self._content(BundleKind.LIMITS, at) or USUAL_LIMITS
        return limits

    def keys_differ(self, role: Role, held: list[int]) -> bool:
        """True where the city uses a newer version than this terminal holds, or one that it holds no more."""
        in_use = self._content(BundleKind.KEYS, self._clock.now())
        named = () if in_use is None else in_use.get(role, ())
        return bool(named) and (max(named) > max(held, default=0) or not set(held) <= set(named))

    def key_versions(self, role: Role, held: list[int]) -> list[int]:
        """Of the key versions that this terminal holds, those that are in use; all where the city does not say."""
        in_use = self._content(BundleKind.KEYS, self._clock.now())
        return held if in_use is None or role not in in_use else [v for v in held if v in in_use[role]]
