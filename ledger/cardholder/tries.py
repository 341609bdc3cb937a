"""How often an address may guess: a bounded memory of failures. What counts for a card is in the database (`ledger.cardholder.pins`)."""

from __future__ import annotations

import ipaddress
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from keys.clock import Clock, UnixMs

FAILURES_MAX: Final = 10
"""Failures of one address within the window: after them it is not heard."""
WINDOW_MS: Final = 15 * 60_000
ADDRESSES_MAX: Final = 50_000
IPV6_PREFIX: Final = 64
"""Who has one address of IPv6 has at least as many as this leaves: they count as one."""


def network_of(address: str) -> str:
    """What an address counts as: itself, or its network in IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, IPV6_PREFIX), strict=False))
    return str(found)


class Failures:
    """Failures by address; the one that was heard of least lately is forgotten first."""

    def __init__(self, clock: Clock, failures_max: int = FAILURES_MAX) -> None:
        self._clock = clock
        self._failures_max = failures_max
        self._seen: OrderedDict[str, list[UnixMs]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_ms(self, address: str) -> int:
        """How long this address has to wait, in milliseconds; 0 where it is heard."""
        now = self._clock.now()
        with self._lock:
            recent = [at for at in self._seen.get(network_of(address), ()) if now - at < WINDOW_MS]
        return recent[-self._failures_max] + WINDOW_MS - now if len(recent) >= self._failures_max else 0

    def note(self, address: str) -> None:
        """Count a failure."""
        now, name = self._clock.now(), network_of(address)
        with self._lock:
            recent = [at for at in self._seen.pop(name, ()) if now - at < WINDOW_MS]
            self._seen[name] = [*recent, now][-self._failures_max :]
            if len(self._seen) > ADDRESSES_MAX:
                self._seen.popitem(last=False)

    def forget(self) -> None:
        """Hear everybody again."""
        with self._lock:
            self._seen.clear()
