"""What a simulation leaves out because nothing is shown by it and it takes most of the time: threads of a web framework, slow hashes, syncs of real disks.

SQL that was compiled once stays compiled: a city that is started a thousand times in one process keeps the engines of its database's address.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

from argon2 import PasswordHasher

from ledger.store import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCRYPT_COST = 16
"""Nobody guesses the passphrase of a city that lives for seconds."""
_engines: dict[tuple[str, int, bool], Any] = {}
_made = Database._pool  # noqa: SLF001  what is kept below is made by it


def _pool(database: Database, size: int, *, asking: bool = True) -> Any:
    """The engine of this address, size and manner: made at the first call, the same ever after."""
    name = (str(database.url), size, asking)
    if name not in _engines:
        _engines[name] = _made(database, size, asking=asking)
    return _engines[name]


async def _at_once(function: Callable[..., Any], *arguments: Any, **_options: Any) -> Any:
    """What a thread would have been asked to do, done here: one request is answered at a time."""
    return function(*arguments)


@contextmanager
def hurried() -> Iterator[None]:
    """While the context lasts, nothing waits for a real disk, a slow hash or another thread."""
    with ExitStack() as stack:
        for place, instead in (
            ("anyio.to_thread.run_sync", _at_once),
            ("ledger.cardholder.pins._HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)),
            ("terminals.opening.DEVICE_COST", SCRYPT_COST),
        ):
            stack.enter_context(mock.patch(place, instead))
        stack.enter_context(mock.patch.object(os, "fsync", int))
        stack.enter_context(mock.patch.object(Database, "_pool", _pool))
        yield


def let_go(url: str) -> None:
    """Close what is open of a database, whoever opened it."""
    for (address, *_), engine in _engines.items():
        if address == url:
            engine.dispose()
