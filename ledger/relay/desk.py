"""The load desk: the ledger speaks to the card itself, the kiosk only carries bytes (docs/decisions/0013-relayed-loads.md).

Every load has one record in the kiosk's name, written and signed by the ledger: confirmed, unconfirmed, or a witness that gives the hold back.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

import structlog

from card.batch import STEP_CONTENT_TYPE, WAITING_CONTENT_TYPE
from card.batch import digest as digest_of
from keys import envelope
from keys.errors import EnvelopeError, SignatureWrong
from ledger.errors import (
    BatchMalformed,
    LedgerError,
    LoadRefused,
    LoadSessionGone,
    Overloaded,
    SignatureRefused,
)
from ledger.intake.bounds import CLOCK_SECONDS_MAX
from ledger.intake.load_requests import need_load_right
from ledger.intake.named import terminal_of
from ledger.relay.course import LoadCourse
from ledger.relay.session import LoadSession, asked_at, parse_step

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from keys.clock import Clock
    from keys.vault import Vault
    from ledger.book import Ledger
    from ledger.intake.load_requests import LoadRequest
    from ledger.intake.loads import Admitted, Loads
    from ledger.intake.receive import Intake
    from ledger.relay.told import Step

SESSIONS_MAX: Final = 1024
SESSION_SECONDS: Final = 30.0
STEP_BYTES_MAX: Final = 8192
WAIT_SECONDS: Final = 20.0
"""How long a new load waits for the end of an older one of the same card or kiosk."""

_log = structlog.get_logger("ledger.relay")


class LoadDesk:
    """Runs loads; safe to use from several threads. One session a kiosk, one a card: the newer one ends the older."""

    def __init__(
        self,
        ledger: Ledger,
        intake: Intake,
        loads: Loads,
        vault: Vault,
        clock: Clock,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._registry = intake.registry
        self._loads = loads
        self._course = LoadCourse(ledger, intake, vault, clock)
        self._clock = clock
        self._ticks = ticks
        self._lock = threading.Lock()
        self._sessions: dict[bytes, LoadSession] = {}
        self.ordered: Callable[[], Sequence[int]] = tuple
        self._course.recover()

    @property
    def open_sessions(self) -> int:
        """How many loads are under way."""
        return len(self._sessions)

    def begin(self, body: bytes) -> Step:
        """Admit a load and give the first commands; the same request again gets the same answer.

        Raises BatchMalformed, SignatureRefused, TerminalUnknown, LoadRefused, Overloaded.
        """
        self.sweep()
        if len(self._sessions) >= SESSIONS_MAX:
            raise Overloaded(f"{SESSIONS_MAX} loads are under way: try again in a little while")
        admitted = self._loads.admit(body, self._give_way)
        again = self._same(admitted)
        if again is not None:
            return again
        session = LoadSession(admitted, self._ticks() + SESSION_SECONDS)
        self._end_all(self._register(session))
        return session.begun(self._course.run(session))

    def _give_way(self, terminal: int, request: LoadRequest) -> None:
        """End what this terminal or card had under way, so that a refund that was torn can be asked for again at once."""
        self._end_all(self._taken_out(terminal, request.uid, request.request))

    def _taken_out(self, terminal: int, uid: bytes, but: int = 0) -> list[LoadSession]:
        with self._lock:
            older = [
                one
                for one in self._sessions.values()
                if (one.terminal == terminal or one.uid == uid)
                and (one.terminal, one.admitted.request.request) != (terminal, but)
            ]
            for one in older:
                del self._sessions[one.token]
        return older

    def _same(self, admitted: Admitted) -> Step | None:
        if admitted.fresh:
            return None
        name = (admitted.certificate.terminal, admitted.request.request)
        for session in list(self._sessions.values()):
            if (session.terminal, session.admitted.request.request) == name:
                step = session.repeated(0, b"")
                if step is not None:
                    return step
        raise LoadRefused(f"request {name[1]} of terminal {name[0]} was used already: take a new number")

    def _register(self, session: LoadSession) -> list[LoadSession]:
        older = self._taken_out(session.terminal, session.uid)
        with self._lock:
            self._sessions[session.token] = session
        return older

    def step(self, body: bytes) -> Step:
        """Take the card's answers; what comes next, or how it ended. The last message again gets the same answer.

        Raises BatchMalformed, SignatureRefused, TerminalUnknown, LoadSessionGone, LoadStepRefused, Overloaded.
        """
        self.sweep()
        terminal, payload = self._opened(body, STEP_CONTENT_TYPE)
        token, number, answers = parse_step(payload)
        session = self._sessions.get(token)
        if session is None or session.terminal != terminal:
            raise LoadSessionGone("no such load is under way: hold the card again to see what became of it")
        try:
            return session.take(number, digest_of(payload), answers)
        finally:
            if session.told is not None:
                session.deadline = min(session.deadline, self._ticks() + SESSION_SECONDS)

    def waiting(self, body: bytes) -> list[bytes]:
        """The UIDs of the cards for which their holders ordered a load, for a terminal that may write it and asks now.

        Raises BatchMalformed, SignatureRefused, TerminalUnknown, LoadRefused.
        """
        terminal, payload = self._opened(body, WAITING_CONTENT_TYPE)
        need_load_right(self._registry.enrolled(terminal))
        if abs(self._clock.now() - asked_at(payload)) > 1000 * CLOCK_SECONDS_MAX:
            raise LoadRefused("this was asked at another time: set the terminal's clock")
        return [uid.to_bytes(7, "big") for uid in self.ordered()]

    def _opened(self, body: bytes, content_type: str) -> tuple[int, bytes]:
        if len(body) > STEP_BYTES_MAX:
            raise BatchMalformed(f"a message has at most {STEP_BYTES_MAX} bytes")
        try:
            message = envelope.parse(body)
        except EnvelopeError as error:
            raise BatchMalformed(f"{error}: send a signed step") from None
        if message.content_type != content_type:
            raise BatchMalformed(f"the envelope holds {message.content_type[:60]!r}, not {content_type}")
        certificate = self._registry.terminal(terminal_of(message), self._clock.now())
        try:
            return certificate.terminal, message.verify(certificate.public_key)
        except SignatureWrong:
            raise SignatureRefused(f"the signature is not terminal {certificate.terminal}'s") from None

    def sweep(self) -> int:
        """End sessions whose time is over; how many. One that cannot be ended now, as on a full disk, keeps nobody from anything else: it is tried again later."""
        now = self._ticks()
        with self._lock:
            late = [one for one in self._sessions.values() if one.deadline <= now]
            for one in late:
                del self._sessions[one.token]
        try:
            self._end_all(late)
        except LedgerError as error:
            _log.warning("loads whose time is over are not ended yet", error=str(error))
        return len(late)

    def _end_all(self, sessions: Sequence[LoadSession]) -> None:
        """End these sessions, which are taken out already; those that could not be ended are under way still, until somebody ends them. Raises what the first of them raised."""
        for ended, session in enumerate(sessions):
            try:
                self._end(session)
            except BaseException:
                again = self._ticks() + SESSION_SECONDS
                with self._lock:
                    for left in sessions[ended:]:
                        left.deadline = again
                        self._sessions[left.token] = left
                raise

    def _end(self, session: LoadSession) -> None:
        """Whatever the session was doing is over; its record says what is known."""
        if not session.lock.acquire(timeout=WAIT_SECONDS):
            raise Overloaded("an older load of this card or kiosk is being worked on: try again")
        try:
            session.close()
            if session.told is None:
                self._course.close(session)
        finally:
            session.lock.release()
