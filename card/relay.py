"""A load or a lock as the ledger writes it onto a card far away: stage, commit, and the chip's evidence, as scripts (`card.far`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from card import tmac
from card.apdu import Ins
from card.channel import CommMode
from card.errors import (
    CardLocked,
    CardRefused,
)
from card.far import Far, FarSession, Script, authenticated, whole
from card.layout import RECORD_BYTES, File, Identity, Journey, LogRecord, ReaderId
from card.purse import Evidence, Intent
from keys.money import Rupiah
from keys.vault import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from card.purse import Change
    from keys.vault import CardKey


def _place(file: File, length: int) -> bytes:
    return bytes((file,)) + bytes(3) + length.to_bytes(3, "little")


def staged(
    far: Far, change: Change, allowed: Callable[[Identity], None]
) -> Script[tuple[Intent, list[bytes]]]:
    """Read, credit and name the reader in one batch; the intent, and the commands that make it real: record and commit.

    Nothing has happened yet. `allowed` raises where this card may not be loaded. Raises CardRefused where the purse's limit would
    be passed, CardLost, StatusError, SessionBroken.
    """
    session, reader = far.session, _reader(change)
    asked = [
        *_looking(session, reader),
        session.command(Ins.CREDIT, bytes((File.PURSE,)), CommMode.FULL, change.amount.to_bytes(4, "little")),
    ]
    answers = yield asked
    found = _read(session, answers, asked)
    allowed(found.identity)
    after = Rupiah(found.value + change.amount)
    if after > found.identity.purse_limit:
        raise CardRefused(f"the purse may hold {found.identity.purse_limit} rupiah at most: load less")
    previous, credited = whole(answers, asked)[_READS:]
    enciphered = session.opened(previous)
    session.opened(credited)
    signed = tmac.reader_entry(reader, enciphered) + tmac.value_entry(Ins.CREDIT, File.PURSE, change.amount)
    # The ledger loads no blocked card, so a locked one is let go.
    journey = replace(found.journey, locked=False) if found.journey.locked else None
    return _ending(far, change, found, signed, journey)


def locking(far: Far, change: Change) -> Script[tuple[Intent, list[bytes]]]:
    """As `staged`, for what locks a card: no money, a log record, and the journey file under the locked mark.

    Raises CardLocked where it is locked already, CardRefused where its journey file is of a newer software, CardLost, StatusError, SessionBroken.
    """
    session, reader = far.session, _reader(change)
    asked = _looking(session, reader)
    answers = yield asked
    found = _read(session, answers, asked)
    if found.journey.locked:
        raise CardLocked("the card is locked already")
    if not found.journey.known:
        raise CardRefused("the card's journey file is of a newer software: it is left as it is")
    enciphered = session.opened(whole(answers, asked)[_READS])
    signed = tmac.reader_entry(reader, enciphered)
    return _ending(far, change, found, signed, replace(found.journey, locked=True))


def _reader(change: Change) -> bytes:
    return ReaderId(change.terminal, change.sequence, change.seconds).encode()


def _looking(session: FarSession, reader: bytes) -> list[bytes]:
    """Identity, journey, value, and who reads them."""
    return [
        session.command(Ins.READ_DATA, _place(File.IDENTITY, 0)),
        session.command(Ins.READ_DATA, _place(File.JOURNEY, 0)),
        session.command(Ins.GET_VALUE, bytes((File.PURSE,))),
        session.command(Ins.COMMIT_READER_ID, reader),
    ]


def _ending(
    far: Far, change: Change, found: _Found, signed: bytes, journey: Journey | None
) -> tuple[Intent, list[bytes]]:
    """The commands that make a change real: log record, the journey file where it changes, commit; and what the chip will sign in all."""
    session, after = far.session, Rupiah(found.value + change.signed_amount)
    record = LogRecord(
        change.kind, change.amount, after, change.seconds, change.terminal, change.sequence, change.reference
    ).encode()
    tmi = found.tmi + signed + tmac.data_entry(Ins.WRITE_RECORD, File.LOG, 0, record)
    last = [session.command(Ins.WRITE_RECORD, _place(File.LOG, RECORD_BYTES), CommMode.MAC, record)]
    if journey is not None:
        data = journey.encode()
        last.append(session.command(Ins.WRITE_DATA, _place(File.JOURNEY, RECORD_BYTES), CommMode.MAC, data))
        tmi += tmac.data_entry(Ins.WRITE_DATA, File.JOURNEY, 0, data)
    last.append(session.command(Ins.COMMIT_TRANSACTION, b"\x01"))
    return Intent(far.uid, far.seen.tmc + 1, tmi, Rupiah(found.value), change, far.seen), last


@dataclass(frozen=True, slots=True)
class _Found:
    identity: Identity
    journey: Journey
    value: int
    tmi: bytes


_READS: Final = 3


def _read(session: FarSession, answers: list[bytes], asked: list[bytes]) -> _Found:
    """Identity, journey and value, as the session proves them; what comes behind them may be missing."""
    if len(answers) < _READS:
        whole(answers, asked)
    identity, journey = session.opened(answers[0]), session.opened(answers[1])
    value = int.from_bytes(session.opened(answers[2], CommMode.FULL), "little", signed=True)
    tmi = (
        tmac.data_entry(Ins.READ_DATA, File.IDENTITY, 0, identity)
        + tmac.data_entry(Ins.READ_DATA, File.JOURNEY, 0, journey)
        + tmac.value_entry(Ins.GET_VALUE, File.PURSE, value)
    )
    return _Found(Identity.decode(identity), Journey.decode(journey), value, tmi)


def committed(far: Far, intent: Intent, last: list[bytes]) -> Script[Evidence]:
    """Send record and commit; the chip's answer is the evidence.

    Whatever is raised, nobody knows whether the card committed: only the card's own MAC says yes, and nothing says no.
    """
    *written, signed = whole((yield last), last)
    for answer in written:
        far.session.opened(answer)
    told = far.session.opened(signed)
    return Evidence(far.uid, int.from_bytes(told[:4], "little"), intent.tmi, told[4:])


def loaded(
    uid: bytes, keys: Sequence[CardKey], change: Change, allowed: Callable[[Identity], None]
) -> Script[Evidence]:
    """A whole load without anything kept in between: for measuring."""
    seen, session = yield from authenticated(Role.LOAD.key_no, keys)
    far = Far(uid, session, seen)
    intent, last = yield from staged(far, change, allowed)
    return (yield from committed(far, intent, last))
