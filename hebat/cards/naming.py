"""Numbers on a card as people say them: banks, stops, kinds of transaction, dates and money."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from card.layout import NEVER, TapKind
from keys.clock import UnixMs, date_of, local
from keys.money import display, sen_of
from terminals.places import corridors, stops

if TYPE_CHECKING:
    from card.layout import Identity, LogRecord
    from hebat.folder import Folder
    from keys.clock import Day
    from keys.money import Rupiah

KINDS: Final = {
    TapKind.FARE: "fare",
    TapKind.SALE: "purchase",
    TapKind.LOAD: "load",
    TapKind.REFUND: "refund",
    TapKind.TAP_IN: "tap in",
    TapKind.TAP_OUT: "tap out",
    TapKind.LOCK: "locked, as blocked",
}
_RIDES: Final = frozenset({TapKind.FARE, TapKind.TAP_IN, TapKind.TAP_OUT})
_STOP_BITS: Final = 32


@dataclass(frozen=True, slots=True)
class Names:
    """What a city calls its banks and stops; numbers stay numbers where it does not say."""

    banks: dict[int, str] = field(default_factory=dict)
    stops: dict[tuple[int, int], tuple[str, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Folder) -> Names:
        """The names of a founded city; raises InputRefused."""
        from hebat.configurations import configuration_of  # noqa: PLC0415  settlement loads only where it is needed

        banks = configuration_of(folder).participants.banks
        is_semarang = folder.configuration.read_text(encoding="utf-8").strip() == "demo"
        return cls({code: bank.name for code, bank in banks.items()}, _stops() if is_semarang else {})

    def bank(self, code: int) -> str:
        """An issuer."""
        return self.banks.get(code, f"bank {code:04d}")

    def place(self, route: int, stop: int) -> str:
        """Where a ride was tapped; "" where the card says nothing."""
        if not route and not stop:
            return ""
        return ", ".join(self.stops.get((route, stop), (f"route {route}", f"stop {stop}")))

    def where(self, record: LogRecord) -> str:
        """Where a transaction was made."""
        ride = record.kind in _RIDES
        place = (
            self.place(record.reference >> _STOP_BITS, record.reference % (1 << _STOP_BITS)) if ride else ""
        )
        return f"{place}, terminal {record.terminal}" if place else f"terminal {record.terminal}"


def _stops() -> dict[tuple[int, int], tuple[str, str]]:
    """Corridor and stop by their numbers on the card, any stop on any corridor: a bus may be lent to another."""
    named = stops().values()
    return {
        (line.number, stop.number): (f"Koridor {line.name}", stop.name)
        for line in corridors()
        for stop in named
    }


def money(rupiah: Rupiah) -> str:
    """Such as Rp3.500."""
    return display(sen_of(rupiah))


def signed(record: LogRecord) -> str:
    """A transaction's amount with its sign; "" where no money moved."""
    if not record.amount:
        return ""
    return f"{'+' if record.kind.credits_card else '-'}{money(record.amount)}"


def moment(seconds: int) -> str:
    """A time on the card as the city's wall clock."""
    return f"{local(UnixMs(seconds * 1000)):%Y-%m-%d %H:%M}"


def day(value: Day) -> str:
    """A day on the card."""
    return "without end" if value == NEVER else date_of(value).isoformat()


def grouped(number: int) -> str:
    """A card number as it is printed."""
    text = f"{number:016d}"
    return " ".join(text[at : at + 4] for at in range(0, 16, 4))


def rider(identity: Identity) -> str:
    """Who rides with the card, and whether the bank knows the holder."""
    known = "registered" if identity.registered else "unregistered"
    name = identity.concession.name.lower()
    ends = identity.concession_until
    until = "" if ends == NEVER else f" until {day(ends)}"
    return f"{name}{until}, {known}" if identity.concession else f"{name}, {known}"
