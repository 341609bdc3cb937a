"""A card spoken to from afar: commands go out in batches, answers come back together.

A script is a generator: it yields command APDUs and is sent the card's answers, as many as the card gave before it went or said no. In one
batch stand commands that do not depend on each other's answers, for each batch is a round trip on the card's clock.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

from card import client, ev2, tmac
from card.apdu import SW1, Ins, Status, wrap
from card.channel import CommMode
from card.errors import (
    Acted,
    CardError,
    CardForeign,
    CardLocked,
    CardLost,
    CardRefused,
    SessionBroken,
    StatusError,
)
from card.handshake import Handshake
from card.layout import AID, RECORD_BYTES, File, Identity, Journey, LogRecord, ReaderId
from card.purse import Evidence, Intent, Seen
from keys.money import Rupiah
from keys.vault import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from card.purse import Change
    from card.transport import Transport
    from keys.vault import CardKey

_T = TypeVar("_T")
Script = Generator[list[bytes], list[bytes], _T]
BATCH_MAX: Final = 16
"""Commands of one batch."""
_TMAC_BYTES: Final = 12
_GOES_ON: Final = frozenset({Status.OK, Status.ADDITIONAL_FRAME})


class FarSession:
    """An EV2 session whose commands are made before the answers to those in front of them are known."""

    def __init__(self, keys: ev2.SessionKeys, ti: bytes) -> None:
        self._out = ev2.Channel(keys, ti)
        self._in = ev2.Channel(keys, ti)

    def command(
        self, ins: Ins, header: bytes = b"", mode: CommMode = CommMode.MAC, body: bytes = b""
    ) -> bytes:
        """The next command, as an APDU."""
        data = self._out.command(ins, header, body, mode)
        self._out.advance()
        return wrap(ins, data)

    def opened(self, answer: bytes, mode: CommMode = CommMode.MAC) -> bytes:
        """The plain data of the next answer; raises StatusError, SessionBroken."""
        return self._in.opened_answer(client.answered(answer)[1], mode)

    def change_key(self, key_no: int, key: CardKey, old: CardKey | None) -> bytes:
        """ChangeKey; `old` is None for the key that the session stands on."""
        sealed = key.sealed(self._out.enc_key, self._out.command_iv(), old)
        return self.command(Ins.CHANGE_KEY, bytes((key_no,)) + sealed)


def selecting() -> list[bytes]:
    """Select the city's application, and read the TMAC file, which needs no key."""
    return [
        wrap(Ins.SELECT_APPLICATION, AID[::-1]),
        wrap(Ins.READ_DATA, bytes((File.TMAC,)) + bytes(6)),
    ]


def authenticated(key_no: int, keys: Sequence[CardKey]) -> Script[tuple[Seen, FarSession]]:
    """Select, see the TMAC file, authenticate with the first of some keys that the card knows.

    Raises CardForeign, CardLost, SessionBroken, StatusError.
    """
    start = [*selecting(), wrap(Ins.AUTHENTICATE_EV2_FIRST, bytes((key_no, 0)))]
    for key in keys:
        answers = yield start
        _is_ours(answers)
        _, content, challenge = whole(answers, start)
        seen = _seen(content)
        try:
            return seen, (yield from proven(challenge, key))
        except StatusError as error:
            if error.status != Status.AUTHENTICATION_ERROR:
                raise
    raise CardForeign("the card does not know this city's keys: not one of ours")


def proven(challenge: bytes, key: CardKey) -> Script[FarSession]:
    """A session, once card and ledger have proved the key to each other; raises CardLost, SessionBroken, StatusError."""
    handshake = Handshake(key)
    ask = [wrap(Ins.ADDITIONAL_FRAME, handshake.answer(client.answered(challenge)[1]))]
    (proof,) = whole((yield ask), ask)
    return FarSession(*handshake.proven(client.answered(proof)[1]))


def whole(answers: list[bytes], asked: list[bytes]) -> list[bytes]:
    """All answers; raises CardLost where some are missing, StatusError where the last one says no."""
    if len(answers) == len(asked):
        return answers
    if answers:
        client.answered(answers[-1])
    raise CardLost(Acted.UNKNOWN)


def _is_ours(answers: list[bytes]) -> None:
    try:
        for selected in answers[:1]:
            client.answered(selected)
    except StatusError as error:
        raise CardForeign("this card is not a Kartu Semarang Hebat") from error


def _seen(answer: bytes) -> Seen:
    content = client.answered(answer)[1]
    if len(content) != _TMAC_BYTES:
        raise SessionBroken("the card's transaction counter has a wrong length; tap again")
    tmc = int.from_bytes(content[:4], "little")
    return Seen(tmc, content[4:] if tmc else b"")


@dataclass(frozen=True, slots=True)
class Far:
    """An authenticated card far away: its UID, its session, and what its TMAC file held."""

    uid: bytes
    session: FarSession
    seen: Seen


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


def carried(card: Transport, apdus: Sequence[bytes]) -> list[bytes]:
    """What a kiosk does with a batch: the card's answers, up to the first that ends its session or the moment it left."""
    answers: list[bytes] = []
    for apdu in apdus:
        try:
            answers.append(card.transmit(apdu))
        except CardError:
            break
        if answers[-1][-2:-1] != bytes((SW1,)) or answers[-1][-1] not in _GOES_ON:
            break
    return answers


def driven(script: Script[_T], card: Transport) -> _T:
    """Run a script with the card at hand, without the way between; raises what the script does."""
    try:
        asked = next(script)
        while True:
            asked = script.send(carried(card, asked))
    except StopIteration as end:
        done: _T = end.value
        return done


def loaded(
    uid: bytes, keys: Sequence[CardKey], change: Change, allowed: Callable[[Identity], None]
) -> Script[Evidence]:
    """A whole load without anything kept in between: for measuring."""
    seen, session = yield from authenticated(Role.LOAD.key_no, keys)
    far = Far(uid, session, seen)
    intent, last = yield from staged(far, change, allowed)
    return (yield from committed(far, intent, last))
