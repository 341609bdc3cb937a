"""Ports that stay a test's own, for servers that a test starts and stops at a port that is known before.

A port that was found free and let go may be anybody's a moment later: a busy suite opens thousands of lines, and each takes a port.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRIES = 100


@contextmanager
def held_ports(count: int = 1) -> Iterator[int]:
    """The first of so many ports next to each other on 127.0.0.1, which the system gives nobody while the block lasts.

    They are bound and not listened at: a server that asks for them by number (with SO_REUSEADDR, as servers do) gets them, and who calls while none is there is refused.
    """
    with ExitStack() as kept:
        for _ in range(_TRIES):
            with ExitStack() as held, suppress(OSError):
                first = _bound(held, 0)
                for number in range(first + 1, first + count):
                    _bound(held, number)
                kept.enter_context(held.pop_all())
                break
        else:
            raise AssertionError(f"no {count} ports next to each other are free")
        yield first


def _bound(held: ExitStack, port: int) -> int:
    one = held.enter_context(socket.socket())
    one.bind(("127.0.0.1", port))
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # only now: not beside another test's
    number: int = one.getsockname()[1]
    return number
