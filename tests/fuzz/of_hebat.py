"""Decoders of `hebat`: files that operators write, recorded taps, a city's own small files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from hebat.bank_commands.lines import partners
from hebat.bundles import drafts
from hebat.cards.loading import parse_amount
from hebat.cards.reserving import Reserved
from hebat.day.feed import read_feed
from hebat.day.trips import StopRef
from hebat.errors import FeedRefused, HebatError, InputRefused
from hebat.fares.semarang import read_facts
from hebat.fares.taps import read_taps
from hebat.folder import Folder
from hebat.keyroom import carrying
from hebat.settlement_commands import parties_file
from hebat.settlement_commands.drafts import read_json
from hebat.supply import advisories
from hebat.supply.installed import Package
from hebat.vaults import token_of
from keys.errors import KeyBlockError
from keys.vault import Role
from tests.fuzz import world
from tests.fuzz.trial import Decoder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

import cbor2

_PARTIES: Final = b"""[city]
name = "Kota Semarang"
bank = "0009"
account = "0099001122"

[[banks]]
code = "0009"
name = "BNI"
bic = "BNINIDJA"
account = "0099001122"

[[merchants]]
number = 502
name = "Lumpia Gang Lombok"
bank = "0009"
account = "1122"
class = "UMI"
"""
_TAPS: Final = b"card,time,kind,route,stop,class,vehicle\nA,2026-11-25 07:30:00,in,R1,A1,pupil,7\nA,2026-11-25 08:00:00,out,R1,B1,pupil,7\n"
_FACTS: Final = b'{"data": [{"sh_id": "1", "sh_name": "A", "kor": "1", "origin": "A", "toward": "B", "sh_lat": "-7", "sh_lng": "110.4"}]}'
_TRIPS: Final = (
    b"transID,payCardID,payCardBank,corridorID,corridorName,tapInStops,tapInStopsName,tapInStopsLat,tapInStopsLon,tapInTime,tapOutStops,tapOutStopsName,"
    b"tapOutStopsLat,tapOutStopsLon,tapOutTime,payAmount\nT1,C1,bni,1,K,S1,A,-7,110,2023-04-03 05:21:44,S2,B,-7.1,110.2,2023-04-03 06:00:53,3500.0\n"
    b"T2,C1,bni,1,K,S1,A,-7,110,2023-04-03 07:21:44,,,,,,\n"
)


def _in_a_city(name: str, read: Callable[[Folder], object]) -> Callable[[bytes], object]:
    """A reader of a city's folder as one of the bytes of one file there."""

    def decode(data: bytes) -> object:
        city = Folder(world.folder() / "city")
        city.root.mkdir(exist_ok=True)
        (city.root / name).write_bytes(data)
        return read(city)

    return decode


def _limits() -> Sequence[bytes]:
    return [
        b'{"sale_max": 200000, "load_max": 1000000}',
        b'{"sale_max": 1, "load_max": 2, "hotlist_hours_max": 5}',
    ]


def _wrapped() -> Sequence[bytes]:
    return [cbor2.dumps([carrying._KIND, Role.DEBIT.value, 1, bytes(3), bytes(24)])]


def _day_feed(data: bytes) -> object:
    """One file of a day's feed is the input, behind a byte that says which."""
    which = sorted(_FEED)[(data or b"\0")[0] % len(_FEED)]
    place = world.folder() / "day-feed"
    place.mkdir(exist_ok=True)
    for name, text in _FEED.items():
        (place / name).write_bytes(data[1:] if name == which else text)
    feed = read_feed(place)
    return feed.locate(StopRef("?", "", -7.0, 110.4)), feed.stops


def _audited(data: bytes) -> object:
    """An advisory about a package that is installed."""
    place = world.folder() / "advisories"
    place.mkdir(exist_ok=True)
    (place / "PYSEC-2026-1.json").write_bytes(data)
    return advisories.audit([Package("pypi", "cbor2", "5.9.0", "MIT")], place)


def _advisories() -> Sequence[bytes]:
    span = {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "5.9.1"}, {"last_affected": "6"}]}
    affected = {"package": {"name": "cbor2", "ecosystem": "PyPI"}, "ranges": [span], "versions": ["5.8"]}
    told = {
        "id": "PYSEC-2026-1",
        "modified": "2026-11-01T00:00:00Z",
        "aliases": ["CVE-1"],
        "affected": [affected],
    }
    return [json.dumps(told).encode()]


_FEED: Final = {
    "routes.txt": b"route_id\n1\n", "stops.txt": b"stop_id,stop_name,stop_lat,stop_lon\nS1,A,-7,110.4\n", "trips.txt": b"trip_id,route_id\nT,1\n",
    "stop_times.txt": b"trip_id,stop_id\nT,S1\n",
}  # fmt: skip

DECODERS: Final = [
    Decoder("feed of a day", _day_feed, FeedRefused, lambda: [bytes((at,)) + _FEED[name] for at, name in enumerate(sorted(_FEED))], slow=True),
    Decoder("token of a city", _in_a_city("city.token", token_of), InputRefused, lambda: [b'{"module": "/usr/lib/softhsm/libsofthsm2.so", "token": "Semarang"}'], "json"),
    Decoder("banks of a city", _in_a_city("partners.json", partners), InputRefused, lambda: [b'[{"name": "bni", "address": "https://bank.example", "dialect": "bi", "client_id": "c", "partner_id": "p", "code": 9, "account": "0099001122"}]'], "json"),
    Decoder("kept card numbers", _in_a_city("card-numbers.json", Reserved), InputRefused, lambda: [b'{"04010203040506": 9360000900000012}'], "json"),
    Decoder("draft of settlement", world.on_disk("draft.json", read_json), InputRefused, lambda: [b'{"header": ["a"]}'], "json"),
    Decoder("parties", world.on_disk("parties.toml", parties_file.read), InputRefused, lambda: [_PARTIES]),
    Decoder("draft of a tariff", world.on_disk("tariff.json", drafts.read_tariff), InputRefused, lambda: [b'{"name": "kota", "valid_from": "2027-01-01", "full_fare": 3500, "concession_fare": 1000, "transfer_minutes": 60}'], "json", slow=True),
    Decoder("draft of limits", world.on_disk("limits.json", drafts.read_limits), InputRefused, _limits, "json"),
    Decoder("draft of a calendar", world.on_disk("calendar.json", drafts.read_calendar), InputRefused, lambda: [b'{"holidays": ["2027-01-01", "2026-12-25"]}'], "json"),
    Decoder("recorded taps", world.on_disk("taps.csv", read_taps), HebatError, lambda: [_TAPS, _TRIPS]),
    Decoder("facts of corridors", world.on_disk("facts.json", read_facts), InputRefused, lambda: [_FACTS], "json"),
    Decoder("amount, typed", world.as_text(parse_amount), InputRefused, lambda: [b"50000", b"50.000", b"Rp50.000"]),
    Decoder("advisory", _audited, InputRefused, _advisories, "json"),
    Decoder("wrapped key", carrying._parsed, KeyBlockError, _wrapped, "cbor"),
]  # fmt: skip
