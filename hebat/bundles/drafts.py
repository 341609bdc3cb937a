"""What an operator writes to issue a bundle: a small JSON file for each kind, checked with the name of the field that is wrong.

tariff: name, valid_from (date), full_fare, concession_fare, and as you like transfer_minutes, passback_minutes; limits: sale_max, load_max, and as you like
hotlist_hours_max, offline_sum_max, offline_count_max;
calendar: holidays (dates). A tariff may also be a file of `hebat fares import`. Money in whole rupiah, dates as 2027-01-31.
"""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from hebat.errors import InputRefused
from hebat.fares.tariffs import SUFFIX
from hebat.fares.tariffs import read_tariff as read_tariff_file
from keys.clock import Day, day_of
from keys.money import Rupiah
from keys.quoting import cut, quoted
from terminals.bundles import contents
from terminals.bundles.contents import Limits
from terminals.errors import BundleMalformed
from terminals.fares import flat_tariff

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from terminals.fares import Tariff

DRAFT_BYTES_MAX: Final = 64 << 10
MINUTES_MAX: Final = 24 * 60
_TARIFF: Final = {"name", "valid_from", "full_fare", "concession_fare"}
_MINUTES: Final = {"transfer_minutes", "passback_minutes"}


class _Draft:
    """A JSON object whose fields are taken one by one; every complaint names file and field."""

    def __init__(
        self, path: Path, needed: set[str], optional: frozenset[str] | set[str] = frozenset()
    ) -> None:
        self._path = path
        self._fields = self._read()
        missing, strange = needed - self._fields.keys(), self._fields.keys() - needed - optional
        if missing or strange:
            raise self.wrong(
                f"it must hold {', '.join(sorted(needed))}"
                + (f", not {cut(', '.join(sorted(strange)))}" if strange else "")
            )

    def _read(self) -> dict[str, Any]:
        try:
            data = self._path.read_bytes()
            found: Any = json.loads(data) if len(data) <= DRAFT_BYTES_MAX else None
        except OSError as error:
            raise self.wrong(f"it cannot be read ({error.strerror})") from None
        except (ValueError, RecursionError) as error:
            raise self.wrong(f"it is no JSON ({cut(error)})") from None
        if not isinstance(found, dict):
            raise self.wrong(f"it must be one JSON object of at most {DRAFT_BYTES_MAX} bytes")
        return found

    def wrong(self, what: str) -> InputRefused:
        return InputRefused(f"{self._path}: {what}")

    def text(self, name: str) -> str:
        value = self._fields[name]
        if not isinstance(value, str) or not value.isprintable():
            raise self.wrong(f"{name} must be a text of printable characters")
        return value

    def whole(self, name: str, default: int = 0, most: int = contents.OFFLINE_SUM_MAX) -> int:
        value = self._fields.get(name, default)
        if type(value) is not int or not 0 <= value <= most:
            raise self.wrong(f"{name} must be a whole number from 0 to {most}")
        return value

    def day(self, name: str, value: Any) -> Day:
        try:
            return day_of(date.fromisoformat(value))
        except (TypeError, ValueError):
            raise self.wrong(f"{name}: {quoted(value)} is no date such as 2027-01-31") from None

    def days(self, name: str) -> frozenset[Day]:
        values = self._fields[name]
        if not isinstance(values, list):
            raise self.wrong(f"{name} must be a list of dates")
        return frozenset(self.day(name, value) for value in values)

    def checked(self, look: Callable[[], object]) -> None:
        """What a terminal would refuse is refused here, before a number is used up."""
        try:
            look()
        except BundleMalformed as error:
            raise self.wrong(str(error)) from None


def read_tariff(path: Path) -> Tariff:
    """A tariff, from a draft or from a tariff file of `hebat fares import`; raises InputRefused."""
    if path.suffix == SUFFIX:
        return read_tariff_file(path)
    draft = _Draft(path, _TARIFF, _MINUTES)
    made = flat_tariff(
        draft.text("name"), draft.day("valid_from", draft.text("valid_from")), Rupiah(draft.whole("full_fare")),
        Rupiah(draft.whole("concession_fare")), draft.whole("transfer_minutes", 120, MINUTES_MAX),
        draft.whole("passback_minutes", 3, MINUTES_MAX),
    )  # fmt: skip
    if "#" in made.version:
        raise draft.wrong("the name may hold no #")
    draft.checked(lambda: contents.decode_tariff(contents.encode_tariff(made), 1))
    return made


def read_limits(path: Path) -> Limits:
    """Limits; raises InputRefused."""
    alone = {"hotlist_hours_max", "offline_sum_max", "offline_count_max"}
    draft, usual = _Draft(path, {"sale_max", "load_max"}, alone), contents.USUAL_LIMITS
    made = Limits(
        Rupiah(draft.whole("sale_max")),
        Rupiah(draft.whole("load_max")),
        draft.whole("hotlist_hours_max", usual.hotlist_hours_max),
        Rupiah(draft.whole("offline_sum_max", usual.offline_sum_max)),
        draft.whole("offline_count_max", usual.offline_count_max),
    )
    draft.checked(lambda: contents.decode_limits(contents.encode_limits(made)))
    return made


def read_calendar(path: Path) -> frozenset[Day]:
    """Holidays; raises InputRefused."""
    draft = _Draft(path, {"holidays"})
    made = draft.days("holidays")
    draft.checked(lambda: contents.decode_calendar(contents.encode_calendar(made)))
    return made
