"""The bare database beside a rush: the rows that taps became, copied once more into tables of the same shape, with nothing around it."""

from __future__ import annotations

import io
import time
from typing import Any

TABLES = {"transfers": ", PRIMARY KEY (partition, position)", "taps": "", "documents": ""}
"""What a tap's money and evidence are stored in, and the key that a table of all dates lacks; all else is a few rows a batch."""
COPIED_AT_ONCE = 1 << 18
COMMITS = 16
"""A commit of a rush has some 32 batches of 500 taps; so the 512 of a usual one are this many."""


def bare_seconds(connection: Any) -> float:
    """Seconds to COPY all rows of these tables in so many commits, one statement a table; what reading them takes is not counted."""
    streams = {table: _streams(connection, table) for table in TABLES}
    with connection.cursor() as cursor:
        for table, key in TABLES.items():
            cursor.execute(f"CREATE TABLE bare_{table} (LIKE {table} INCLUDING ALL{key})")
    connection.commit()
    began = time.perf_counter()
    for parts in zip(*streams.values(), strict=True):
        with connection.cursor() as cursor:
            for table, part in zip(TABLES, parts, strict=True):
                cursor.copy_expert(f"COPY bare_{table} FROM STDIN (FORMAT BINARY)", part, COPIED_AT_ONCE)
        connection.commit()
    return time.perf_counter() - began


def _streams(connection: Any, table: str) -> list[io.BytesIO]:
    """A table's rows in the order in which they were stored, cut into as many streams of COPY as there are commits."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        each = -(-cursor.fetchone()[0] // COMMITS)
        found = []
        for number in range(COMMITS):
            rows = f"SELECT * FROM {table} ORDER BY tableoid, ctid LIMIT {each} OFFSET {number * each}"
            found.append(io.BytesIO())
            cursor.copy_expert(f"COPY ({rows}) TO STDOUT (FORMAT BINARY)", found[-1], COPIED_AT_ONCE)
            found[-1].seek(0)
    return found
