"""What the tests of the composition root share: where the real inputs lie, and small files of taps."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

HEADER = (
    "transID,payCardID,payCardBank,corridorID,corridorName,tapInStops,tapInStopsName,tapInStopsLat,tapInStopsLon,"
    "tapInTime,tapOutStops,tapOutStopsName,tapOutStopsLat,tapOutStopsLon,tapOutTime,payAmount"
)


def shared_data() -> Path | None:
    """The folder of real inputs beside the checkout (or where HEBAT_SHARED points), if it is there."""
    folder = Path(os.environ.get("HEBAT_SHARED", Path(__file__).parents[3] / "shared")) / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def data() -> Path:
    """The real inputs; a test that needs them says so when they are absent."""
    folder = shared_data()
    if folder is None:
        pytest.skip("real inputs are absent: ../shared/data is not there and HEBAT_SHARED points nowhere")
    return folder


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
