"""The course of a load or a lock: what the ledger says to the card itself, and the one record that is left of it, however it ends."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from card import relay
from card.batch import RELAYED_FROM, RecordStatus, TapRecord, decode_record
from card.errors import CardError, CardLocked
from card.far import Far, authenticated
from card.purse import Change
from keys.errors import KeyRetired
from keys.vault import Role
from ledger.intake.authorised import store as authorised
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
from ledger.relay.told import GREEN
from ledger.relay.unit import Intend

if TYPE_CHECKING:
    from card.far import Script
    from card.purse import Evidence, Intent, Seen
    from keys.clock import Clock
    from keys.vault import CardKey, Vault
    from ledger.book import Ledger
    from ledger.intake.cards.issued import Card
    from ledger.intake.receive import Intake
    from ledger.relay.session import LoadSession
    from ledger.relay.told import Told

_log = structlog.get_logger("ledger.relay")


class LoadCourse:
    """What is said to a card, and written of it; safe to use from several threads, each with a session of its own."""

    def __init__(self, ledger: Ledger, intake: Intake, vault: Vault, clock: Clock) -> None:
        self._ledger = ledger
        self._intake = intake
        self._vault = vault
        self._clock = clock

    def recover(self) -> None:
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

    def run(self, session: LoadSession) -> Script[Told]:
        """A session's script, from its first commands to how it ended."""
        try:
            told = yield from self._load(session)
        except CardError as fault:
            told = refusal(fault, session)
            self.close(session, "counter-forged" if isinstance(fault, CounterForged) else records.NOT_STARTED)
        session.told = told
        if told.colour == GREEN:
            yield from rolling.brought_on(self._intake.registry, self._vault, session.uid)
        return told

    def close(self, session: LoadSession, why: str = records.NOT_STARTED) -> bytes:
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
