"""The virtual card: power, selection, dispatch, tearing, and its memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

import cbor2

from card.apdu import GET_UID, SW1, Ins, Status, unwrap
from card.errors import Acted, CardLost
from card.virtual import authentication, data, management, transaction
from card.virtual.application import Application
from card.virtual.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.virtual.session import Handshake, Session

PICC_LEVEL = b"\x00\x00\x00"
ANSWER_FRAME_MAX = 59
"""Bytes of an answer in one frame before chaining by 91AF (native framing of ISO/IEC 14443-4, FSD 64)."""
_ISO_OK = b"\x90\x00"
_ISO_INS_UNKNOWN = b"\x6d\x00"
_COMMANDS: dict[int, Callable[[VirtualCard, bytes], bytes]] = {
    **authentication.COMMANDS,
    **data.COMMANDS,
    **management.COMMANDS,
    **transaction.COMMANDS,
}


class VirtualCard:
    """A chip in this process; as a Transport it is in a field, as an object it is the plastic.

    `rng` gives the chip's random bytes; a test that replays a transcript brings its own.
    """

    __slots__ = (
        "_chained", "_exchanges", "_tear_acts", "_tear_at", "applications", "handshake", "rng", "selected", "session",
        "uid",
    )  # fmt: skip

    def __init__(self, uid: bytes, rng: Callable[[int], bytes] = os.urandom) -> None:
        self.uid = uid
        self.rng = rng
        self.applications: dict[bytes, Application] = {PICC_LEVEL: Application(1)}
        self._exchanges = 0
        self._tear_at = 0
        self._tear_acts = False
        self._power_on()

    def __repr__(self) -> str:
        return f"<VirtualCard {self.uid.hex()}>"

    def _power_on(self) -> None:
        self.selected = PICC_LEVEL
        self.session: Session | None = None
        self.handshake: Handshake | None = None
        self._chained = b""

    @property
    def application(self) -> Application:
        """The selected application."""
        return self.applications[self.selected]

    def leave_field(self) -> None:
        """Lose power: the session and everything uncommitted are gone."""
        self.application.rollback()
        self._power_on()

    def tear(self, after_exchanges: int, *, acts: bool) -> None:
        """Be pulled away at the n-th exchange from now (1 is the next): before the chip acts, or after, its answer lost."""
        self._tear_at = self._exchanges + after_exchanges
        self._tear_acts = acts

    def transmit(self, apdu: bytes) -> bytes:
        """Answer a command APDU; raises CardLost where `tear` said so."""
        self._exchanges += 1
        if self._exchanges != self._tear_at:
            return self._answer(apdu)
        if self._tear_acts:
            self._answer(apdu)
        self.leave_field()
        raise CardLost(Acted.UNKNOWN)

    def _answer(self, apdu: bytes) -> bytes:
        if apdu == GET_UID:
            return self.uid + _ISO_OK
        command = unwrap(apdu)
        if command is None:
            return _ISO_INS_UNKNOWN
        try:
            return self._framed(self._run(*command))
        except Refusal as refusal:
            self.end_session()
            return bytes((SW1, refusal.status))

    def _run(self, ins: int, payload: bytes) -> bytes:
        if ins == Ins.ADDITIONAL_FRAME and self._chained and not payload:
            rest, self._chained = self._chained, b""
            return rest
        self._chained = b""
        if self.handshake is not None:
            if ins != Ins.ADDITIONAL_FRAME:
                raise Refusal(Status.COMMAND_ABORTED)
            return authentication.second_half(self, payload)
        command = _COMMANDS.get(ins)
        if command is None:
            raise Refusal(Status.ILLEGAL_COMMAND)
        return command(self, payload)

    def _framed(self, answer: bytes) -> bytes:
        if self.handshake is not None:
            return answer + bytes((SW1, Status.ADDITIONAL_FRAME))
        if len(answer) <= ANSWER_FRAME_MAX:
            return answer + bytes((SW1, Status.OK))
        self._chained = answer[ANSWER_FRAME_MAX:]
        return answer[:ANSWER_FRAME_MAX] + bytes((SW1, Status.ADDITIONAL_FRAME))

    def end_session(self) -> None:
        """As after an error, an abort by selection, or a change of the key in use."""
        self.session = None
        self.handshake = None
        self.application.rollback()

    def save(self) -> bytes:
        """The plastic's whole memory, keys included: a secret as the chip is."""
        return cbor2.dumps([self.uid, {aid: one.save() for aid, one in self.applications.items()}])

    @classmethod
    def load(cls, saved: bytes, rng: Callable[[int], bytes] = os.urandom) -> Self:
        """A card from what `save` gave."""
        uid, applications = cbor2.loads(saved)
        card = cls(uid, rng)
        card.applications = {aid: Application.load(one) for aid, one in applications.items()}
        return card

    def clone(self) -> Self:
        """A copy with the same UID and keys: what a thief with a broken chip would hold."""
        return self.load(self.save())
