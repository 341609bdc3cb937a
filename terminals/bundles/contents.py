"""What stands in a bundle's body but for the hotlist: CBOR maps, strict in what they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cbor2

from keys import cbor
from keys.clock import Day
from keys.errors import CborMalformed
from keys.money import Rupiah
from keys.vault import Role
from terminals.errors import BundleMalformed, TariffWrong
from terminals.fares import codec, flat_tariff
from terminals.fares.codec import NAME_CHARS_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from terminals.fares import Tariff

AMOUNT_MAX: Final = 20_000_000
OFFLINE_SUM_MAX: Final = 100_000_000
OFFLINE_COUNT_MAX: Final = 100_000
OFFLINE_HOURS_MAX: Final = 90 * 24
HOLIDAYS_MAX: Final = 1_000
VERSIONS_MAX: Final = 16
_DAY_MAX: Final = 0xFFFF
_MINUTES_MAX: Final = 24 * 60
_KEY_VERSION_MAX: Final = 255
_TARIFF: Final = (
    "name",
    "valid_from",
    "full_fare",
    "concession_fare",
    "transfer_minutes",
    "passback_minutes",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that one sale may take and one load may put onto a card, in whole rupiah.

    And how long (hours since the ledger last told of blocked cards), for how much (rupiah) and for how many records a terminal
    works without the ledger.
    """

    sale_max: Rupiah = Rupiah(AMOUNT_MAX)
    load_max: Rupiah = Rupiah(AMOUNT_MAX)
    hotlist_hours_max: int = 30 * 24
    offline_sum_max: Rupiah = Rupiah(OFFLINE_SUM_MAX)
    offline_count_max: int = OFFLINE_COUNT_MAX


USUAL_LIMITS: Final = Limits()
_ALONE: Final = ("hotlist_hours_max", "offline_count_max", "offline_sum_max")
_USUAL_ALONE: Final = {name: int(getattr(USUAL_LIMITS, name)) for name in _ALONE}


def tariff_version(name: str, number: int) -> str:
    """What records say of a tariff that came by bundle: its name and the bundle's number."""
    return f"{name}#{number}"


def tariff_number(version: str) -> int:
    """The bundle's number in a record's tariff; 0 where it came by no bundle."""
    _, mark, number = version.rpartition("#")
    return int(number) if mark and number.isascii() and number.isdigit() else 0


def encode_tariff(tariff: Tariff) -> bytes:
    """A tariff's body, in the newest format."""
    return codec.encode(tariff)


def decode_tariff(body: bytes, number: int) -> Tariff:
    """The tariff of a bundle of this number, of any format that ever went out; raises BundleMalformed."""
    if not codec.is_this_format(body):
        return _flat(body, number)
    try:
        return codec.decode(body, number)
    except TariffWrong as error:
        raise BundleMalformed(f"the tariff cannot be used: {error}") from None


def _flat(body: bytes, number: int) -> Tariff:
    """Format 1, which names no format: a flat fare, whose holidays go by calendar."""
    found = _map(body, "tariff", _TARIFF)
    name = found["name"]
    if not isinstance(name, str) or not 1 <= len(name) <= NAME_CHARS_MAX or "#" in name:
        raise BundleMalformed(f"a tariff's name has 1 to {NAME_CHARS_MAX} characters, and no #")
    return flat_tariff(
        tariff_version(name, number),
        Day(_whole(found, "valid_from", _DAY_MAX)),
        Rupiah(_whole(found, "full_fare", AMOUNT_MAX)),
        Rupiah(_whole(found, "concession_fare", AMOUNT_MAX)),
        _whole(found, "transfer_minutes", _MINUTES_MAX),
        _whole(found, "passback_minutes", _MINUTES_MAX),
    )


def encode_limits(limits: Limits) -> bytes:
    """The limits' body; those of working alone stand in it where they are not the usual ones."""
    body = {"sale_max": limits.sale_max, "load_max": limits.load_max}
    alone = {name: int(getattr(limits, name)) for name in _ALONE}
    usual = all(getattr(limits, name) == getattr(USUAL_LIMITS, name) for name in _ALONE)
    return cbor2.dumps(body if usual else {**body, **alone}, canonical=True)


def decode_limits(body: bytes) -> Limits:
    """The limits of a bundle; raises BundleMalformed."""
    alone = _ALONE if set(_loaded(body, "limits")) & set(_ALONE) else ()
    found = {**_USUAL_ALONE, **_map(body, "limits", ("sale_max", "load_max", *alone))}
    return Limits(
        Rupiah(_whole(found, "sale_max", AMOUNT_MAX)),
        Rupiah(_whole(found, "load_max", AMOUNT_MAX)),
        _whole(found, "hotlist_hours_max", OFFLINE_HOURS_MAX),
        Rupiah(_whole(found, "offline_sum_max", OFFLINE_SUM_MAX)),
        _whole(found, "offline_count_max", OFFLINE_COUNT_MAX),
    )


def encode_calendar(holidays: frozenset[Day]) -> bytes:
    """The calendar's body: holidays as days, ascending."""
    return cbor2.dumps({"holidays": sorted(holidays)}, canonical=True)


def decode_calendar(body: bytes) -> frozenset[Day]:
    """The holidays of a bundle; raises BundleMalformed."""
    days = _map(body, "calendar", ("holidays",))["holidays"]
    return frozenset(Day(day) for day in _ascending(days, _DAY_MAX, HOLIDAYS_MAX, "a calendar's holidays"))


def encode_keys(versions: Mapping[Role, tuple[int, ...]]) -> bytes:
    """The body that names the key versions in use, by role."""
    return cbor2.dumps({role.value: sorted(held) for role, held in versions.items()}, canonical=True)


def decode_keys(body: bytes) -> dict[Role, tuple[int, ...]]:
    """The key versions in use, by role; raises BundleMalformed."""
    found = _loaded(body, "list of keys")
    if not set(found) <= set(Role):
        raise BundleMalformed("the list of keys names a role that this terminal does not know: update it")
    return {
        Role(role): tuple(_ascending(held, _KEY_VERSION_MAX, VERSIONS_MAX, f"the versions of {role}"))
        for role, held in found.items()
    }


def _loaded(body: bytes, what: str) -> dict[str, Any]:
    try:
        found: Any = cbor.decoded(body)
    except CborMalformed:
        raise BundleMalformed(f"the {what} is no CBOR") from None
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise BundleMalformed(f"the {what} is no CBOR map of names")
    if not cbor.is_deterministic(found, body):
        raise BundleMalformed(f"the {what} is not in deterministic encoding")
    return found


def _map(body: bytes, what: str, names: tuple[str, ...]) -> dict[str, Any]:
    found = _loaded(body, what)
    if set(found) != set(names):
        raise BundleMalformed(f"the {what} must hold {', '.join(names)}, nothing else")
    return found


def _whole(found: dict[str, Any], name: str, most: int) -> int:
    value = found[name]
    if type(value) is not int or not 0 <= value <= most:
        raise BundleMalformed(f"{name} must be a whole number from 0 to {most}")
    return value


def _ascending(values: Any, most: int, count: int, what: str) -> list[int]:
    if not isinstance(values, list) or len(values) > count:
        raise BundleMalformed(f"{what} must be a list of at most {count}")
    if not all(type(value) is int and 0 <= value <= most for value in values):
        raise BundleMalformed(f"{what} must be whole numbers from 0 to {most}")
    if sorted(set(values)) != values:
        raise BundleMalformed(f"{what} must be in ascending order, none twice")
    return values
