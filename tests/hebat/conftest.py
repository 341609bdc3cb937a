"""What the tests of the composition root share: where the real inputs lie, and small files of taps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

HEADER = (
    "transID,payCardID,payCardBank,corridorID,corridorName,tapInStops,tapInStopsName,tapInStopsLat,tapInStopsLon,"
    "tapInTime,tapOutStops,tapOutStopsName,tapOutStopsLat,tapOutStopsLon,tapOutTime,payAmount"
)


@pytest.fixture
def feed_folder(tmp_path: Path) -> Path:
    """A GTFS folder of three stops, about 1 km apart, and one route."""
    folder = tmp_path / "gtfs"
    folder.mkdir()
    (folder / "stops.txt").write_text(
        "stop_id,stop_name,stop_lat,stop_lon\nS1,Simpang Lima,-6.9903,110.4229\nS2,Tugu Muda,-6.9840,110.4093\n"
        "S3,Pasar Johar,-6.9725,110.4245\n",
        encoding="utf-8",
    )
    (folder / "routes.txt").write_text("route_id,route_type\n1,3\n", encoding="utf-8")
    return folder
