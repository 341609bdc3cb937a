"""What a card tells somebody who may only look: whose it is, its log, its transaction counter. Nothing is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from card.apdu import Status
from card.channel import CommMode
from card.errors import StatusError
from card.layout import RECORD_BYTES, File, Identity, LogRecord, TapKind
from card.purse import Seen, authenticated, seen_now, select_city
from keys.money import Rupiah
from keys.vault import Role

if TYPE_CHECKING:
    from card import client
    from card.transport import Transport
    from keys.vault import Vault


def newest_record(transport: Transport, vault: Vault, role: Role) -> LogRecord | None:
    """The last thing that happened to a card that `seen_now` has looked at, by its own log; None for a fresh card."""
    return next(iter(_records(transport, vault, role, count=1)), None)


def last_records(
    transport: Transport, vault: Vault, role: Role = Role.READ, count: int = 0
) -> list[LogRecord]:
    """The card's log, newest first, under a role's key; empty for a fresh card. Count 0 is all. Raises as `open_card`."""
    select_city(transport)
    return _records(transport, vault, role, count)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a card tells somebody who may only look: whose it is, its log, newest first, and its transaction counter."""

    identity: Identity
    records: list[LogRecord]
    seen: Seen

    @property
    def locked(self) -> bool:
        """True where a terminal locked the card: any later transaction would have ended that."""
        return bool(self.records) and self.records[0].kind is TapKind.LOCK

    @property
    def balance(self) -> Rupiah:
        """What the purse held after the newest transaction; a card without one holds nothing."""
        return self.records[0].balance_after if self.records else Rupiah(0)


def inspected(transport: Transport, vault: Vault, role: Role = Role.READ) -> Inspection:
    """Read identity and log under a role's key, and change nothing. Raises as `open_card`."""
    seen = seen_now(transport)
    session = authenticated(transport, vault, role)
    identity = Identity.decode(session.read(File.IDENTITY, CommMode.MAC))
    return Inspection(identity, _logged(session, 0), seen)


def _records(transport: Transport, vault: Vault, role: Role, count: int) -> list[LogRecord]:
    return _logged(authenticated(transport, vault, role), count)


def _logged(session: client.Session, count: int) -> list[LogRecord]:
    try:
        data = session.read_records(File.LOG, CommMode.MAC, count)
    except StatusError as error:
        if error.status != Status.BOUNDARY_ERROR:
            raise
        return []
    records = [LogRecord.decode(data[at : at + RECORD_BYTES]) for at in range(0, len(data), RECORD_BYTES)]
    return records[::-1]
