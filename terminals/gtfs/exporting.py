"""A tariff as the fare files of a GTFS feed (Fares v2), with the policy file, and the ids of routes and stops that the rules use."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

from keys.clock import date_of
from terminals.gtfs import calendars, fares_v2, policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from terminals.fares.tariff import Tariff

    _Table = tuple[Sequence[str], Iterable[Sequence[str]]]

_INFO: Final = (
    "feed_publisher_name", "feed_publisher_url", "feed_lang", "feed_start_date", "feed_version",
)  # fmt: skip
PUBLISHER: Final = ("Kartu Semarang Hebat", "https://example.org/")
"""Who is named where a tariff is written out by itself: a tariff does not know its feed's publisher."""


def fare_files(tariff: Tariff) -> dict[str, bytes]:
    """The files by name; a file that would hold nothing is left out."""
    told: dict[str, _Table] = {
        "feed_info.txt": (_INFO, [(*PUBLISHER, "id", f"{date_of(tariff.valid_from):%Y%m%d}", tariff.version.partition("#")[0])]),
        "rider_categories.txt": (
            fares_v2.CATEGORY_FIELDS, [(one.category, one.name, str(int(one.default))) for one in tariff.categories],
        ),
        "fare_media.txt": (fares_v2.MEDIA_FIELDS, [(one.medium, one.name, str(one.kind)) for one in tariff.media]),
        "fare_products.txt": (
            fares_v2.PRODUCT_FIELDS,
            [(one.product, one.name, one.category, one.medium, f"{one.amount}.00", "IDR") for one in tariff.products],
        ),
        "timeframes.txt": (
            fares_v2.FRAME_FIELDS, [(one.group, _time(one.start), _time(one.end), one.service) for one in tariff.frames],
        ),
        "calendar.txt": (calendars.CALENDAR, calendars.calendar_rows(tariff)),
        "calendar_dates.txt": (calendars.CALENDAR_DATES, calendars.calendar_date_rows(tariff)),
        "fare_leg_rules.txt": _legs(tariff),
        "fare_transfer_rules.txt": (fares_v2.TRANSFER_FIELDS, [_transfer(tariff, one) for one in range(len(tariff.transfers))]),
        policy.FILE: (policy.FIELDS, policy.policy_rows(tariff)),
        **_places(tariff),
    }  # fmt: skip
    files = {name: written(fields, rows) for name, (fields, rows) in told.items()}
    return {name: data for name, data in files.items() if data.count(b"\n") > 1}


def _legs(tariff: Tariff) -> _Table:
    rows = [
        [one.group, one.network, one.from_area, one.to_area, one.from_frame, one.to_frame, one.product]
        for one in tariff.legs
    ]
    if not tariff.prioritised:
        return fares_v2.LEG_FIELDS, rows
    ranked = [[*row, str(one.priority)] for row, one in zip(rows, tariff.legs, strict=True)]
    return (*fares_v2.LEG_FIELDS, "rule_priority"), ranked


def _transfer(tariff: Tariff, place: int) -> list[str]:
    one = tariff.transfers[place]
    limit = [str(one.seconds), str(int(one.limit))] if one.seconds else ["", ""]
    return [one.from_group, one.to_group, str(one.count or ""), *limit, str(int(one.cost)), one.product]


def _places(tariff: Tariff) -> dict[str, _Table]:
    networks = sorted({network for _, network in tariff.networks if network})
    areas = sorted({area for _, held in tariff.areas for area in held})
    return {
        "routes.txt": (("route_id", "route_short_name", "route_type"), [(one, one, "3") for one, _ in tariff.networks]),
        "networks.txt": (("network_id", "network_name"), [(one, one) for one in networks]),
        "route_networks.txt": (("network_id", "route_id"), [(network, one) for one, network in tariff.networks if network]),
        "stops.txt": (("stop_id",), [(one,) for one, _ in tariff.areas]),
        "areas.txt": (("area_id", "area_name"), [(one, one) for one in areas]),
        "stop_areas.txt": (("area_id", "stop_id"), [(area, one) for one, held in tariff.areas for area in held]),
    }  # fmt: skip


def export(tariff: Tariff, folder: Path) -> list[Path]:
    """Write the files into a folder, which must hold none of them; the paths in order of name. Raises FileExistsError."""
    folder.mkdir(parents=True, exist_ok=True)
    files = fare_files(tariff)
    for name in sorted(files):
        with (folder / name).open("xb") as out:
            out.write(files[name])
    return [folder / name for name in sorted(files)]


def written(fields: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """A file of a feed: the header and its rows, in UTF-8."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(fields)
    writer.writerows(rows)
    return out.getvalue().encode()


def _time(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
