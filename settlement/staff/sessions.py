"""Sessions: a random token in a cookie, its digest in the table, a new one at every step of signing in.

A session ends after 20 minutes without use and ten hours after sign-in, at sign-out, and when the person is disabled, reset or given
other roles. The form token is derived from the session's, so that a form of one session is worth nothing in another.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from keys.clock import UnixMs
from settlement.staff import store
from settlement.staff.roles import read_roles, rights_of
from settlement.staff.store import SessionRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger.store import Connection
    from settlement.staff.roles import Right, Roles
    from settlement.staff.store import Person

IDLE_MS: Final = 20 * 60_000
WHOLE_MS: Final = 10 * 3_600_000
SEEN_EVERY_MS: Final = 60_000
"""How often at most a session's use is written down."""
FRESH_MS: Final = 10 * 60_000
"""How long after a sign-in accounts may be changed, one's own and others': after that, password and code are asked for again."""
DOOR_MS: Final = 10 * 60_000
"""How long the steps of signing in may take."""
TOKEN_BYTES: Final = 32
TOKEN_CHARACTERS_MAX: Final = 64


class Stage(StrEnum):
    """How far somebody has come in."""

    CODE = "code"  # the password was right; the one-time code is asked for
    CHANGE = "change"  # a new password is asked for
    ENROL = "enrol"  # an authenticator is to be enrolled
    IN = "in"


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody at the console."""

    digest: bytes
    name: str
    roles: Roles
    stage: Stage
    person: Person
    began_at: UnixMs

    def is_fresh(self, at: UnixMs) -> bool:
        """True while the sign-in that this session came from is young."""
        return at - self.began_at <= FRESH_MS

    def may(self, right: Right) -> bool:
        """True for who is all the way in and has a role with this right."""
        return self.stage is Stage.IN and right in rights_of(self.roles)


def digest_of(token: str) -> bytes:
    """What is stored of a token: it has 256 random bits, so that one SHA-256 is enough."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def form_token(token: str) -> str:
    """The token of the forms of a session (or, before there is one, of a visitor's cookie)."""
    return hmac.new(token.encode("utf-8", "surrogateescape"), b"form", hashlib.sha256).hexdigest()


def form_fits(token: str, given: str) -> bool:
    """Whether a form was made for this session; in constant time."""
    return bool(token) and hmac.compare_digest(form_token(token).encode(), given.encode("utf-8", "replace"))


def new_token() -> str:
    """A token for a cookie."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def begin(connection: Connection, name: str, stage: Stage, at: UnixMs, before: bytes | None = None) -> str:
    """A fresh session's token; the session before it, if any, ends."""
    if before is not None:
        store.end_session(connection, before)
    store.end_old_sessions(connection, UnixMs(at - WHOLE_MS))
    token = new_token()
    store.insert_session(connection, SessionRow(digest_of(token), name, stage.value, at, at))
    return token


def alive(rows: Iterable[SessionRow], at: UnixMs) -> list[SessionRow]:
    """Those of somebody's sessions that still open something, the newest use first."""
    open_ = [row for row in rows if row.stage == Stage.IN and not _ended(row, Stage.IN, at)]
    return sorted(open_, key=lambda row: -row.seen_at)


def _ended(row: SessionRow, stage: Stage, at: UnixMs) -> bool:
    whole, idle = (WHOLE_MS, IDLE_MS) if stage is Stage.IN else (DOOR_MS, DOOR_MS)
    return at - row.began_at > whole or at - row.seen_at > idle


def look_up(connection: Connection, token: str, at: UnixMs) -> tuple[Session, bool] | None:
    """The session of a token, and whether its use ought to be written down; None where it is none or has ended."""
    if not 0 < len(token) <= TOKEN_CHARACTERS_MAX:
        return None
    found = store.session_of(connection, digest_of(token))
    if found is None:
        return None
    row, person = found
    stage = Stage(row.stage)
    if person.disabled_at or _ended(row, stage, at):
        return None
    session = Session(row.digest, row.name, read_roles(person.roles), stage, person, row.began_at)
    return session, at - row.seen_at > SEEN_EVERY_MS
