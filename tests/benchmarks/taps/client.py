"""A light client: keep-alive connections, requests made beforehand, answers looked at no closer than needed.

`python -m tests.benchmarks.taps.client ADDRESS FILE CONNECTIONS`; the file holds, pickled, each terminal's bodies. It prints seconds and taps posted.
"""

from __future__ import annotations

import asyncio
import json
import pickle
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

_HEAD = "POST /v1/batches HTTP/1.1\r\nHost: ledger\r\nContent-Type: application/cose\r\nContent-Length: {}\r\n\r\n"


async def _sent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    writer.write(request)
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    )
    body = await reader.readexactly(length)
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"{head[:200]!r} {body[:500]!r}")
    return body


async def _connection(
    host: str, port: int, streams: list[list[bytes]], until: int, took: list[float]
) -> tuple[int, list[bytes]]:
    """Terminals in turn, each one batch after the other; taps posted, and what else came back."""
    reader, writer = await asyncio.open_connection(host, port, limit=1 << 20)
    posted, odd = 0, []
    for turn in range(until):
        for stream in streams:
            if turn < len(stream):
                begun = time.perf_counter()
                answer = await _sent(reader, writer, stream[turn])
                took.append(time.perf_counter() - begun)
                posted += answer.count(b'"posted"')
                if b'"quarantined"' in answer or b'"duplicate"' in answer:
                    odd.append(answer[:300])
    writer.close()
    return posted, odd


async def _run(address: str, streams: list[list[bytes]], connections: int) -> None:
    where = urlsplit(address)
    turns = max(map(len, streams))
    took: list[float] = []
    begun = time.perf_counter()
    told = await asyncio.gather(
        *(
            _connection(str(where.hostname), int(where.port or 0), streams[n::connections], turns, took)
            for n in range(connections)
        )
    )
    seconds = time.perf_counter() - begun
    took.sort()
    latency = {"p50": took[len(took) // 2], "p99": took[int(len(took) * 0.99)]}
    odd = [one.decode(errors="replace") for _, answers in told for one in answers]
    sys.stdout.write(
        json.dumps(
            {"seconds": seconds, "posted": sum(posted for posted, _ in told), "odd": odd[:3], **latency}
        )
    )


def main() -> None:
    """Send everything once."""
    bodies = pickle.loads(Path(sys.argv[2]).read_bytes())
    streams = [[_HEAD.format(len(body)).encode() + body for body in stream] for stream in bodies]
    uvloop.run(_run(sys.argv[1], streams, int(sys.argv[3])))


if __name__ == "__main__":
    main()
