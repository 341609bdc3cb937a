"""The virtual card: power, selection, dispatch, tearing, and its memory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

import cbor2

from card.apdu import CLA, CLA_ISO, GET_UID, ISO_OK, SW1, Ins, IsoStatus, Status, unwrap
from card.errors import Acted, CardLost
from card.originality import SIGNATURE_BYTES
from card.virtual import authentication, data, filing, framing, iso, keyring, picc, records, transaction
from card.virtual.application import PICC_LEVEL, Application, KeySlot
from card.virtual.generation import Generation
from card.virtual.refusal import Refusal
from keys import cbor
from keys.errors import CborMalformed

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.virtual.authentication import Handshake
    from card.virtual.session import Session

ATS = bytes.fromhex("067577810280")
"""Answer to select of a DESFire: FSC 64, up to 848 kbit/s both ways, one historical byte (ISO/IEC 14443-4, section 5.2)."""
_READER_CLA = 0xFF
_RANDOM_UID_TAG = 0x08
_INS = frozenset(Ins)
_COMMANDS: dict[int, Callable[[VirtualCard, bytes], bytes]] = {
    **authentication.COMMANDS,
    **data.COMMANDS,
    **filing.COMMANDS,
    **keyring.COMMANDS,
    **picc.COMMANDS,
    **records.COMMANDS,
    **transaction.COMMANDS,
}


class VirtualCard:
    """A chip in this process; as a Transport it is in a field, as an object it is the plastic.

    `rng` gives the chip's random bytes; a test that replays a transcript brings its own.
    """

    __slots__ = (
        "_exchanges", "_identifier", "_incoming", "_outgoing", "_tear_acts", "_tear_at", "applications", "ats", "default_key",
        "format_off", "frames", "generation", "handshake", "iso_file", "mirrored", "random_id", "rng", "selected",
        "session", "signature", "uid",
    )  # fmt: skip

    def __init__(
        self, uid: bytes, rng: Callable[[int], bytes] = os.urandom, generation: Generation = Generation.EV3
    ) -> None:
        self.uid = uid
        self.rng = rng
        self.generation = generation
        self.applications: dict[bytes, Application] = {PICC_LEVEL: Application.picc()}
        self.default_key: KeySlot | None = None
        self.format_off = self.random_id = False
        self.signature = bytes(SIGNATURE_BYTES)
        self.ats = ATS
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
        self.iso_file: int | None = None
        self.mirrored: dict[int, bytes] = {}
        self.frames: list[int] = []
        self._identifier = b""
        self._incoming: tuple[int, bytes] | None = None
        self._outgoing: list[bytes] = []

    @property
    def application(self) -> Application:
        """The selected application."""
        return self.applications[self.selected]

    def knows(self, ins: int) -> bool:
        """Whether a chip of this generation has the command."""
        return ins in _COMMANDS and ins not in self.generation.unknown

    def enter(self, aid: bytes) -> None:
        """Select an application that there is."""
        self.selected = aid
        self.iso_file = None
        self.mirrored = {}

    def leave(self, aid: bytes) -> None:
        """Back to the PICC level, where the selected application is no more."""
        if self.selected == aid:
            self.session = None
            self.enter(PICC_LEVEL)

    def leave_field(self) -> None:
        """Lose power: the session and everything uncommitted are gone."""
        self.application.rollback()
        self._power_on()

    def tear(self, after_exchanges: int, *, acts: bool) -> None:
        """Be pulled away at the n-th exchange from now (1 is the next): before the chip acts, or after, its answer lost."""
        self._tear_at = self._exchanges + after_exchanges
        self._tear_acts = acts

    def transmit(self, apdu: bytes) -> bytes:
        """Answer a command, wrapped, native or of ISO/IEC 7816-4; raises CardLost where `tear` said so."""
        self._exchanges += 1
        if self._exchanges != self._tear_at:
            return self._answer(apdu)
        if self._tear_acts:
            self._answer(apdu)
        self.leave_field()
        raise CardLost(Acted.UNKNOWN)

    def _answer(self, apdu: bytes) -> bytes:
        if not apdu or apdu[0] in {CLA, CLA_ISO, _READER_CLA}:
            return self._answer_iso(apdu)
        status, answer = self._native(apdu[0], apdu[1:])
        return bytes((status,)) + answer

    def _answer_iso(self, apdu: bytes) -> bytes:
        if apdu == GET_UID:
            return self._stated_uid() + ISO_OK
        if apdu[:1] == bytes((CLA_ISO,)):
            return iso.run(self, apdu)
        command = unwrap(apdu)
        if command is None:
            return IsoStatus.INS_UNKNOWN.encode()
        status, answer = self._native(*command)
        return answer + bytes((SW1, status))

    def _stated_uid(self) -> bytes:
        """The identifier in anticollision: the UID, or a fresh one at each power-on."""
        if self.random_id and not self._identifier:
            self._identifier = bytes((_RANDOM_UID_TAG,)) + self.rng(3)
        return self._identifier or self.uid

    def _native(self, ins: int, payload: bytes) -> tuple[int, bytes]:
        try:
            return self._run(ins, payload)
        except Refusal as refusal:
            self.end_session()
            return refusal.status, b""

    def _run(self, ins: int, payload: bytes) -> tuple[int, bytes]:
        if ins == Ins.ADDITIONAL_FRAME:
            return self._additional(payload)
        if self.handshake is not None or self._incoming is not None or self._outgoing:
            raise Refusal(Status.COMMAND_ABORTED)
        if not self.knows(ins):
            raise Refusal(Status.ILLEGAL_COMMAND)
        return self._whole(ins, payload)

    def _additional(self, payload: bytes) -> tuple[int, bytes]:
        if self.handshake is not None:
            return Status.OK, authentication.second_half(self, payload)
        if self._incoming is not None:
            ins, before = self._incoming
            self._incoming = None
            return self._whole(ins, before + payload)
        if not self._outgoing or payload:
            raise Refusal(Status.COMMAND_ABORTED if not self._outgoing else Status.LENGTH_ERROR)
        return self._next_frame()

    def _whole(self, ins: int, payload: bytes) -> tuple[int, bytes]:
        """Run a command once all its frames are here."""
        if framing.lacking(self, ins, payload):
            self._incoming = (ins, payload)
            return Status.ADDITIONAL_FRAME, b""
        self.frames = []
        answer = _COMMANDS[ins](self, payload)
        if self.handshake is not None:
            return Status.ADDITIONAL_FRAME, answer
        self._outgoing = framing.framed(ins, answer, self.frames)
        return self._next_frame()

    def _next_frame(self) -> tuple[int, bytes]:
        frame = self._outgoing.pop(0)
        return Status.ADDITIONAL_FRAME if self._outgoing else Status.OK, frame

    def end_session(self) -> None:
        """As after an error, an abort by selection, or a change of the key in use."""
        self.session = None
        self.handshake = None
        self._incoming = None
        self._outgoing = []
        self.application.rollback()

    def save(self) -> bytes:
        """The plastic's whole memory, keys included: a secret as the chip is."""
        default = self.default_key.save() if self.default_key else None
        made = [
            self.generation.name,
            self.uid,
            self.signature,
            self.format_off,
            self.random_id,
            default,
            self.ats,
        ]
        return cbor2.dumps([made, {aid: one.save() for aid, one in self.applications.items()}])

    @classmethod
    def load(cls, saved: bytes, rng: Callable[[int], bytes] = os.urandom) -> Self:
        """A card from what `save` gave; raises ValueError where it is no saved card."""
        try:
            return cls._loaded(cbor.decoded(saved), rng)
        except (
            CborMalformed,
            TypeError,
            AttributeError,
            LookupError,
            ValueError,
            OverflowError,
            Refusal,
        ) as error:
            raise ValueError("this file holds no saved card") from error

    @classmethod
    def _loaded(cls, saved: list[Any], rng: Callable[[int], bytes]) -> Self:
        (generation, uid, signature, format_off, random_id, default, ats), applications = saved
        card = cls(uid, rng, Generation[generation])
        card.ats = ats
        card.signature, card.format_off, card.random_id = signature, format_off, random_id
        card.default_key = None if default is None else KeySlot.load(default)
        card.applications = {aid: Application.load(one) for aid, one in applications.items()}
        return card

    def clone(self) -> Self:
        """A copy with the same UID and keys: what a thief with a broken chip would hold."""
        return self.load(self.save(), self.rng)
