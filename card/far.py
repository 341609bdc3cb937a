"""A card spoken to from afar: a session whose commands go out in batches, and whose answers come back together.

A script is a generator: it yields command APDUs and is sent the card's answers, as many as the card gave before it went or said no. In one
batch stand commands that do not depend on each other's answers, for each batch is a round trip on the card's clock.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from card import client, ev2
from card.apdu import SW1, Ins, Status, wrap
from card.channel import CommMode
from card.errors import (
    Acted,
    CardError,
    CardForeign,
    CardLost,
    SessionBroken,
    StatusError,
)
from card.handshake import Handshake
from card.layout import AID, File
from card.purse import Seen

if TYPE_CHECKING:
    from collections.abc import Sequence

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
