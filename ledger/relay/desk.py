"""The load desk: the ledger speaks to the card itself, the kiosk only carries bytes (docs/decisions/0013-relayed-loads.md).

Every load has one record in the kiosk's name, written and signed by the ledger: confirmed, unconfirmed, or a witness that gives the hold back.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog

from card import relay
from card.batch import (
    RELAYED_FROM,
    STEP_CONTENT_TYPE,
    WAITING_CONTENT_TYPE,
    RecordStatus,
    TapRecord,
    decode_record,
)
from card.batch import digest as digest_of
from card.errors import CardError, CardLocked
from card.far import Far, authenticated
from card.purse import Change
from keys import envelope
from keys.errors import EnvelopeError, KeyRetired, SignatureWrong
from keys.vault import Role
from ledger.errors import (
    BatchMalformed,
    LedgerError,
    LoadRefused,
    LoadSessionGone,
    Overloaded,
    SignatureRefused,
)
from ledger.intake.authorised import store as authorised
from ledger.intake.bounds import CLOCK_SECONDS_MAX
from ledger.intake.loads import need_load_right
from ledger.relay import records, rolling
from ledger.relay.ends import (
    BLOCKED,
    CounterForged,
    earlier,
    need_in_date,
    need_settled,
    need_true_counter,
    refusal,
)
from ledger.relay.session import LoadSession, asked_at, parse_step
from ledger.relay.told import GREEN
from ledger.relay.unit import Intend

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from card.far import Script
    from card.purse import Evidence, Intent, Seen
    from keys.clock import Clock
    from keys.vault import CardKey, Vault
    from ledger.book import Ledger
    from ledger.intake.loads import Admitted, LoadRequest, Loads
    from ledger.intake.receive import Intake
    from ledger.intake.registry import Card
    from ledger.relay.told import Step, Told

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
        self._ledger = ledger
        self._intake = intake
        self._loads = loads
        self._vault = vault
        self._clock = clock
        self._ticks = ticks
        self._lock = threading.Lock()
        self._sessions: dict[bytes, LoadSession] = {}
        self.ordered: Callable[[], Sequence[int]] = tuple
        self._recover()

    @property
    def open_sessions(self) -> int:
        """How many loads are under way."""
        return len(self._sessions)

    def _recover(self) -> None:
        """Give every load that a stopped ledger left behind its record: unconfirmed after its commit went out, given back before."""
        with self._ledger.database.transaction() as connection:
            left = authorised.open_loads(connection)
        for row in left:
            sequence = RELAYED_FROM + row.request
            record = (
                decode_record(row.intent, sequence)
                if row.state == authorised.INTENDED
                else records.given_back(sequence, row.uid.to_bytes(7, "big"), row.hold, self._clock.now())
            )
            self._write(row.terminal, record)

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
        return session.begun(self._flow(session))

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
        need_load_right(self._intake.registry.enrolled(terminal))
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
        certificate = self._intake.registry.terminal(int.from_bytes(message.kid, "big"), self._clock.now())
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
                self._close(session)
        finally:
            session.lock.release()

    def _flow(self, session: LoadSession) -> Script[Told]:
        try:
            told = yield from self._load(session)
        except CardError as fault:
            told = refusal(fault, session)
            self._close(
                session, "counter-forged" if isinstance(fault, CounterForged) else records.NOT_STARTED
            )
        session.told = told
        if told.colour == GREEN:
            yield from rolling.brought_on(self._intake.registry, self._vault, session.uid)
        return told

    def _close(self, session: LoadSession, why: str = records.NOT_STARTED) -> bytes:
        """Write what is known of a load that did not come to its end; the receipt."""
        record = session.intended or records.given_back(
            session.sequence, session.uid, session.admitted.hold, self._clock.now(), why
        )
        return self._write(session.terminal, record)

    def _load(self, session: LoadSession) -> Script[Told]:
        seen, secured = yield from authenticated(Role.LOAD.key_no, self._keys(session.card))
        if session.admitted.request.locks:
            return (yield from self._lock_card(session, Far(session.uid, secured, seen)))
        before = earlier(self._intake, session, seen, self._clock.now())
        if before is not None:
            return self._settled(session, seen, before)
        need_settled(self._intake, session, seen)
        far = Far(session.uid, secured, seen)
        change = self._change(session)
        intent, last = yield from relay.staged(
            far, change, lambda identity: need_in_date(identity, change.at)
        )
        need_true_counter(self._intake, session.card, intent)
        self._intend(session, intent)
        evidence = yield from relay.committed(far, intent, last)
        return self._posted(session, intent, evidence)

    def _lock_card(self, session: LoadSession, far: Far) -> Script[Told]:
        """Lock a blocked card, once; whatever it says, it is shown as blocked."""
        try:
            intent, last = yield from relay.locking(far, self._change(session))
        except CardLocked:
            self._unused(session, far.seen)
            return BLOCKED
        need_true_counter(self._intake, session.card, intent)
        self._intend(session, intent)
        evidence = yield from relay.committed(far, intent, last)
        self._write(session.terminal, _signed(session, intent, evidence))
        _log.warning("blocked card locked", terminal=session.terminal, sequence=session.sequence)
        return replace(BLOCKED, sequence=session.sequence)

    def _keys(self, card: Card) -> list[CardKey]:
        """The card's load keys, the one that it should have first."""
        known = rolling.held(card)[Role.LOAD.key_no]
        keys, uid = [], card.uid.to_bytes(7, "big")
        for version in sorted(self._vault.versions(Role.LOAD), key=lambda version: version != known):
            with suppress(KeyRetired):  # by another process, since the versions were asked for
                keys.append(self._vault.card_key(Role.LOAD, version, uid))
        return keys

    def _change(self, session: LoadSession) -> Change:
        admitted = session.admitted
        return Change(
            admitted.request.kind, admitted.request.amount, None, session.terminal, session.sequence, self._clock.now(),
            admitted.hotlist if admitted.request.locks else admitted.hold,
        )  # fmt: skip

    def _settled(self, session: LoadSession, seen: Seen, before: TapRecord) -> Told:
        """The card shows that the load before was done: green for that one, and this one's hold goes back."""
        return records.green(before, self._unused(session, seen))

    def _unused(self, session: LoadSession, seen: Seen) -> bytes:
        """This session's hold goes back, and what the card showed is kept: it may settle an earlier one; the receipt."""
        unused = records.given_back(session.sequence, session.uid, session.admitted.hold, self._clock.now())
        return self._write(session.terminal, replace(unused, seen_tmc=seen.tmc, seen_tmv=seen.tmv))

    def _intend(self, session: LoadSession, intent: Intent) -> None:
        record = records.intended(intent, session.context)
        raw = records.encoded(record)
        request = session.admitted.request.request
        self._ledger.writer.submit(Intend(session.terminal, request, raw)).result()
        session.intended = record

    def _posted(self, session: LoadSession, intent: Intent, evidence: Evidence) -> Told:
        """The chip's own counter is what counts: a kiosk may have shown us another one."""
        record = _signed(session, intent, evidence)
        receipt = self._write(session.terminal, record)
        _log.info("card loaded", terminal=session.terminal, sequence=session.sequence)
        return records.green(record, receipt)

    def _write(self, terminal: int, record: TapRecord) -> bytes:
        certificate = self._intake.registry.enrolled(terminal)
        return self._intake.take_relayed(certificate, record)


def _signed(session: LoadSession, intent: Intent, evidence: Evidence) -> TapRecord:
    known = records.intended(intent, session.context)
    return replace(known, status=RecordStatus.CONFIRMED, tmc=evidence.tmc, tmv=evidence.tmv)
