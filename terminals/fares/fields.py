"""A map or a row of a tariff's bytes, taken value by value; every complaint names the part and the row."""

from __future__ import annotations

from typing import Any, Final

from keys.clock import Day
from terminals.errors import TariffWrong

TEXT_CHARS_MAX: Final = 64
ROWS_MAX: Final = 10_000
DAYS_MAX: Final = 1_000
DAY_MAX: Final = 0xFFFF


class Fields:
    """A map or a row whose values are taken one by one; every complaint names where it is."""

    def __init__(self, values: Any, where: str, count: int = 0) -> None:
        if not isinstance(values, list if count else dict) or (count and len(values) != count):
            raise TariffWrong(where, f"a row of {count} is expected" if count else "a map is expected")
        self.values: Any = values
        self._where = where

    def need(self, names: set[str]) -> None:
        """Raises TariffWrong where other names than these stand in the map."""
        if set(self.values) != names:
            raise TariffWrong(self._where, f"it must hold {', '.join(sorted(names))}, nothing else")

    def _wrong(self, name: Any, wanted: str) -> TariffWrong:
        return TariffWrong(f"{self._where}, {name}", f"{wanted} is expected")

    def text(self, name: Any, most: int = TEXT_CHARS_MAX) -> str:
        """A text of at most so many characters; raises TariffWrong."""
        value = self.values[name]
        if not isinstance(value, str) or len(value) > most:
            raise self._wrong(name, f"a text of at most {most} characters")
        return value

    def whole(self, name: Any, most: int, least: int = 0) -> int:
        """A whole number within bounds; raises TariffWrong."""
        value = self.values[name]
        if type(value) is not int or not least <= value <= most:
            raise self._wrong(name, f"a whole number from {least} to {most}")
        return value

    def flag(self, name: Any) -> bool:
        """Yes or no; raises TariffWrong."""
        value = self.values[name]
        if not isinstance(value, bool):
            raise self._wrong(name, "yes or no")
        return value

    def texts(self, name: Any) -> list[str]:
        """A list of texts; raises TariffWrong."""
        value = self.values[name]
        if not isinstance(value, list) or len(value) > ROWS_MAX:
            raise self._wrong(name, f"a list of at most {ROWS_MAX}")
        return [Fields([one], f"{self._where}, {name}", 1).text(0) for one in value]

    def days(self, name: Any) -> list[Day]:
        """Days in order, each once; raises TariffWrong."""
        value = self.values[name]
        whole = isinstance(value, list) and all(type(one) is int and 0 <= one <= DAY_MAX for one in value)
        if not whole or len(value) > DAYS_MAX or sorted(set(value)) != value:
            raise self._wrong(name, f"at most {DAYS_MAX} days in order")
        return list(map(Day, value))

    def rows(self, name: str) -> list[Fields]:
        """The rows of a part, each of as many values as its class has fields; raises TariffWrong."""
        value, count = self.values[name], _WIDTHS[name]
        if not isinstance(value, list) or len(value) > ROWS_MAX:
            raise self._wrong(name, f"a list of at most {ROWS_MAX} rows")
        return [Fields(row, f"{name}, row {place}", count) for place, row in enumerate(value, 1)]


_WIDTHS: Final = {
    "products": 5, "legs": 8, "transfers": 7, "categories": 3, "media": 3, "frames": 4, "services": 7, "networks": 2,
    "areas": 2, "classes": 2, "daily_caps": 2, "weekly_caps": 2, "degraded": 2,
}  # fmt: skip
