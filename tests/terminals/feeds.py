"""Small GTFS feeds for the tests: files as text, written to a folder or a zip."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

V2 = {
    "feed_info.txt": "feed_publisher_name,feed_publisher_url,feed_lang,feed_version,feed_start_date\nX,https://x.id,id,kota-1,20260101\n",
    "routes.txt": "route_id,route_short_name,route_type\nR1,1,3\nR2,2,3\nX1,9,3\n",
    "networks.txt": "network_id,network_name\ncity,Kota\nexpress,Ekspres\n",
    "route_networks.txt": "network_id,route_id\ncity,R1\ncity,R2\nexpress,X1\n",
    "stops.txt": "stop_id,stop_name,stop_lat,stop_lon,location_type,parent_station\nA1,A,-7,110,0,\nSB,B,-7,110,1,\nB1,B1,-7,110,0,SB\n",
    "areas.txt": "area_id,area_name\nA,Barat\nB,Timur\n",
    "stop_areas.txt": "area_id,stop_id\nA,A1\nB,SB\n",
    "rider_categories.txt": "rider_category_id,rider_category_name,is_default_fare_category\numum,Umum,1\npelajar,Pelajar,0\n",
    "fare_media.txt": "fare_media_id,fare_media_name,fare_media_type\nkartu,Kartu,2\ntunai,Tunai,0\n",
    "fare_products.txt": (
        "fare_product_id,rider_category_id,fare_media_id,amount,currency\n"
        "dekat,umum,kartu,3000.00,IDR\ndekat,pelajar,kartu,1000,IDR\ndekat,umum,tunai,4000.00,IDR\n"
        "jauh,umum,kartu,5000.00,IDR\nekspres,,kartu,20000.00,IDR\npindah,,,500.00,IDR\n"
    ),
    "calendar.txt": (
        "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date\n"
        "sekolah,1,1,1,1,1,1,0,20260101,20271231\nlibur,0,0,0,0,0,0,1,20260101,20271231\n"
    ),
    "calendar_dates.txt": "service_id,date,exception_type\nsekolah,20261225,2\nlibur,20261225,1\nlibur,20261231,1\n",
    "timeframes.txt": "timeframe_group_id,start_time,end_time,service_id\nsekolah,,,sekolah\nlibur,06:00:00,22:00:00,libur\n",
    "fare_leg_rules.txt": (
        "leg_group_id,network_id,from_area_id,to_area_id,from_timeframe_group_id,fare_product_id,rule_priority\n"
        "kota,city,A,A,sekolah,dekat,\nkota,city,A,A,libur,jauh,\nkota,city,A,B,,jauh,\nkota,city,B,A,,jauh,\n"
        "kota,city,B,B,,dekat,\nekspres,express,,,,ekspres,\n"
    ),
    "fare_transfer_rules.txt": (
        "from_leg_group_id,to_leg_group_id,transfer_count,duration_limit,duration_limit_type,fare_transfer_type,fare_product_id\n"
        "kota,kota,2,5400,1,0,pindah\nkota,ekspres,,,,1,\n"
    ),
    "ksh_fare_policy.txt": (
        "policy,applies_to,value\ncard_class,pupil,pelajar\ngated,city,yes\ndaily_cap,,15000.00\nweekly_cap,pelajar,20000\n"
        "degraded_fare,,2500\npassback_minutes,,5\nfollows_holidays,sekolah,removes\nfollows_holidays,libur,adds\nholiday,,20261225\n"
        "card_medium,,kartu\n"
    ),
}  # fmt: skip

V1 = {
    "feed_info.txt": V2["feed_info.txt"],
    "routes.txt": "route_id,route_short_name,route_type\nR1,1,3\nR2,2,3\nR3,3,3\n",
    "stops.txt": "stop_id,stop_name,stop_lat,stop_lon,zone_id\nA1,A,-7,110,a\nB1,B,-7,110,b\n",
    "fare_attributes.txt": (
        "fare_id,price,currency_type,payment_method,transfers,agency_id,transfer_duration\n"
        "F,3500,IDR,0,,,10800\nX,20000.00,IDR,1,0,,\nZ,6000,IDR,0,1,,3600\nOTHER,9000,IDR,0,0,,\n"
    ),
    "fare_rules.txt": "fare_id,route_id,origin_id,destination_id\nF,R1,,\nX,R2,,\nZ,R1,a,b\n",
}


def folder(path: Path, files: dict[str, str], **changed: str) -> Path:
    """A feed as a folder; `changed` replaces files by their name without .txt."""
    path.mkdir(parents=True, exist_ok=True)
    for name, text in (files | {f"{key}.txt": value for key, value in changed.items()}).items():
        (path / name).write_text(text, encoding="utf-8")
    return path


def packed(path: Path, files: dict[str, str]) -> Path:
    """A feed as a zip file."""
    with zipfile.ZipFile(path, "w") as out:
        for name, text in files.items():
            out.writestr(name, text)
    return path
