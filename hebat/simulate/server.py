"""The ledger's machine: the real city behind its real HTTP routes for terminals, on a simulated disk, started and killed at will."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from hebat.application import terminals_door
from hebat.simulate.haste import let_go
from hebat.simulate.network import Reply, Request, ServerAway
from hebat.wiring import City

if TYPE_CHECKING:
    from random import Random

    from hebat.folder import Folder
    from hebat.simulate.disk.shim import Shim
    from hebat.simulate.disk.volume import Volume
    from hebat.story_clock import StoryClock
    from hebat.wiring import Configuration
    from ledger.http.asgi import App, Message


class Server:
    """One machine that runs one city; `city` is there while it runs."""

    def __init__(
        self, folder: Folder, configuration: Configuration, clock: StoryClock, shim: Shim, volume: Volume
    ) -> None:
        self._folder = folder
        self._configuration = configuration
        self._clock = clock
        self._shim = shim
        self.volume = volume
        self._loop = asyncio.new_event_loop()
        self._city: City | None = None
        self._application: App | None = None
        self.starts = 0

    @property
    def is_well(self) -> bool:
        """Whether it can still write: its disk lives, and its writer has not stopped."""
        return self._city is not None and not self.volume.dead and not self._city.ledger.writer.stopped

    @property
    def city(self) -> City:
        """The city; raises ServerAway where the machine is off."""
        if self._city is None:
            raise ServerAway
        return self._city

    def now(self) -> int:
        """The story's time, in milliseconds since 1970."""
        return self._clock.now()

    def start(self) -> None:
        """Start the program; raises what `City` raises, with nothing left open."""
        self.starts += 1
        self._city = City(self._folder, self._configuration, self._clock)
        self._city.__enter__()
        self._application = terminals_door(self._city)

    def stop(self) -> None:
        """End it as an operator would: what was accepted is finished, a snapshot kept."""
        if self._city is not None:
            self._city.__exit__(None, None, None)
        self._city = self._application = None
        self._end_tasks()

    def kill(self, dice: Random, *, power: bool) -> None:
        """End it at once: nothing from here on reaches its disk. With `power`, what was not synced is at the dice's mercy."""
        self.volume.dead = True
        city, self._city, self._application = self._city, None, None
        if city is not None:
            with suppress(Exception):
                city.__exit__(None, None, None)
            with suppress(Exception):
                city.ledger.database.close()
            with suppress(Exception):
                city.vault.close()
        self._end_tasks()
        let_go(self._folder.database_url)
        if power:
            self._shim.power_cut(self.volume, dice)
        else:
            self._shim.need_closed(self.volume)
            self.volume.restart()

    def serve(self, request: Request) -> Reply:
        """Answer one request; raises ServerAway where the machine is off, or stopped before it answered."""
        if self._application is None or self.volume.dead:
            raise ServerAway
        reply = self._loop.run_until_complete(_asked(self._application, request))
        if self.volume.dead:
            raise ServerAway
        return reply

    def _end_tasks(self) -> None:
        """Whatever the machine was still to do, such as to write lines of its log that wait for more, ends with it."""
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        if left:
            self._loop.run_until_complete(asyncio.wait(left))

    def close(self) -> None:
        """Give the loop back."""
        self._end_tasks()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


async def _asked(app: App, request: Request) -> Reply:
    """One call through ASGI (the bytes that HTTP would carry)."""
    path, _, query = request.target.partition("?")
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": request.method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers], "client": ("127.0.0.1", 40000),
        "server": ("127.0.0.1", 80),
    }  # fmt: skip
    waiting: list[Message] = [{"type": "http.request", "body": request.body, "more_body": False}]
    status, headers, body = 500, list[tuple[bytes, bytes]](), bytearray()

    async def receive() -> Message:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            headers.extend(message.get("headers", []))
        elif message["type"] == "http.response.body":
            body.extend(message.get("body", b""))

    await app(scope, receive, send)
    return Reply(status, tuple(headers), bytes(body))
