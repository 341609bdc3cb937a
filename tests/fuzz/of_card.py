"""Decoders of `card`: batches, evidence, files of a card, what a chip answers, what a chip is asked, addresses of phone taps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from card import d40, ev1, ev2, far, ndef, purse
from card.apdu import Ins, wrap
from card.applications import parse_application
from card.batch import decode_batch, decode_record, encode_record
from card.channel import Channel, CommMode
from card.client import answered
from card.commands import parse_create, parse_described, parse_rights
from card.errors import BatchInvalid, CardError, EvidenceError, TapRefused
from card.ev1 import KeyType
from card.evidence import parse
from card.journey import Journey
from card.layout import Identity, LogRecord, ReaderId
from card.personalise import personalise
from card.product import parse_version
from card.sdm import Sdm
from card.virtual import VirtualCard
from hebat.cards.recognising import recognise
from keys.vault import Role
from tests.fuzz import world
from tests.fuzz.trial import Decoder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from card.transport import Transport

_NOTHING: Final[tuple[type[Exception], ...]] = ()


class Recorder:
    """A card that notes what it answers."""

    def __init__(self, card: Transport) -> None:
        self._card = card
        self.asked: list[bytes] = []
        self.answers: list[bytes] = []

    @property
    def uid(self) -> bytes:
        return self._card.uid

    def transmit(self, apdu: bytes) -> bytes:
        self.asked.append(apdu)
        self.answers.append(self._card.transmit(apdu))
        return self.answers[-1]


class Changed:
    """A card whose answer to one exchange is something else: a byte says which, the rest is the answer. The others are the real card's."""

    def __init__(self, card: VirtualCard, data: bytes) -> None:
        self._card = card
        self._at = (data or b"\0")[0]
        self._answer = data[1:]
        self._exchange = 0

    @property
    def uid(self) -> bytes:
        return self._card.uid

    def transmit(self, apdu: bytes) -> bytes:
        self._exchange += 1
        given = self._card.transmit(apdu)
        return self._answer if self._exchange == self._at else given


class Scripted:
    """A card that gives answers which stand one after the other in the input, each with its length in front; then it is silent."""

    uid = bytes(7)

    def __init__(self, data: bytes) -> None:
        self._answers = list(pieces(data))

    def transmit(self, _apdu: bytes) -> bytes:
        return self._answers.pop(0) if self._answers else b""


def pieces(data: bytes) -> list[bytes]:
    """Bytes in pieces, each with its length in front."""
    found, at = [], 0
    while at < len(data):
        found.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return found


def joined(parts: Sequence[bytes]) -> bytes:
    """The same the other way."""
    return b"".join(bytes((min(len(part), 255),)) + part[:255] for part in parts)


def _changing(act: Callable[[Transport], object]) -> Callable[[bytes], object]:
    def decode(data: bytes) -> object:
        card = world.chip()
        card.leave_field()
        return act(Changed(card, data))

    return decode


def _recorded(act: Callable[[Transport], object]) -> Recorder:
    card = world.chip()
    card.leave_field()
    recorder = Recorder(card)
    act(recorder)
    return recorder


def _answers(act: Callable[[Transport], object]) -> Callable[[], Sequence[bytes]]:
    return lambda: [bytes((at,)) + one for at, one in enumerate(_recorded(act).answers, 1)]


def _script(act: Callable[[Transport], object]) -> Callable[[], Sequence[bytes]]:
    return lambda: [joined(_recorded(act).answers)]


def _opened(card: Transport) -> object:
    return purse.open_card(card, world.vault(), Role.DEBIT)


def _far(data: bytes) -> object:
    """What a kiosk says that the card answered, batch by batch."""
    script = far.authenticated(0, [world.vault().card_key(Role.DEBIT, 1, bytes(7))])
    rest = pieces(data)
    asked = next(script)
    while True:
        given, rest = rest[: len(asked)], rest[len(asked) :]
        try:
            asked = script.send(given)
        except StopIteration as done:
            return done.value


def _commanded(data: bytes) -> object:
    """Commands to a fresh chip; every one has an answer of at least a status."""
    card = VirtualCard.load(_saved(), bytes)
    for apdu in pieces(data):
        if not card.transmit(apdu):
            raise AssertionError(apdu.hex())
    return card


def _saved() -> bytes:
    if not _SAVED:
        _SAVED.append(world.chip().save())
    return _SAVED[0]


def _secured(channel: Callable[[], Channel]) -> Callable[[bytes], object]:
    """What a chip answers in a session, in each mode."""

    def decode(data: bytes) -> object:
        mode = (CommMode.PLAIN, CommMode.MAC, CommMode.FULL)[(data or b"\0")[0] % 3]
        terminal = channel()
        terminal.command(Ins.READ_DATA, bytes(7), b"", mode)
        return terminal.opened_answer(data[1:], mode)

    return decode


def _secure_answers(channel: Callable[[], Channel]) -> Callable[[], Sequence[bytes]]:
    def seeds() -> Sequence[bytes]:
        made = []
        for place, mode in enumerate((CommMode.PLAIN, CommMode.MAC, CommMode.FULL)):
            terminal, chip = channel(), channel()
            sent = terminal.command(Ins.READ_DATA, bytes(7), b"", mode)
            chip.opened_command(Ins.READ_DATA, sent, mode, 7)
            made.append(bytes((place,)) + chip.answer(bytes(range(16)), mode))
        return made

    return seeds


def _ev1() -> Channel:
    return ev1.Channel(ev1.session_key(bytes(16), bytes(16), KeyType.AES))


def _d40() -> Channel:
    return d40.Channel(bytes(range(16)))


def _relayed(data: bytes) -> object:
    """What a kiosk hands on of a load's first answers, in a session that the ledger holds."""
    session = far.FarSession(ev2.SessionKeys(bytes(16), bytes(16)), bytes(4))
    session.command(Ins.READ_DATA, bytes(7))
    return session.opened(data)


_SAVED: Final[list[bytes]] = []


def _commands() -> Sequence[bytes]:
    def whole(card: Transport) -> None:
        _opened(card)
        recognise(card)

    taps = _recorded(whole).asked
    plain = [
        wrap(Ins.GET_VERSION),
        wrap(Ins.ADDITIONAL_FRAME),
        wrap(Ins.ADDITIONAL_FRAME),
        wrap(Ins.GET_APPLICATION_IDS),
        bytes((Ins.GET_VERSION,)),
    ]
    return [joined(taps), joined(plain), joined([bytes.fromhex("00a4040007d276000085010000"), bytes.fromhex("00a4000c02e103"), bytes.fromhex("00b0000010")])]  # fmt: skip


def _asked(*which: Ins) -> Callable[[], Sequence[bytes]]:
    """What those commands carry where a card of the city is made, each with its place among them in front."""

    def seeds() -> Sequence[bytes]:
        making = Recorder(VirtualCard(bytes([4, 0, 0, 0, 0, 0, 9])))
        personalise(making, world.vault(), parse(world.records()[0].tmi).identity)
        return [bytes((which.index(Ins(apdu[1])),)) + apdu[5:-1] for apdu in making.asked if apdu[1] in which]

    return seeds


def _without_code(seeds: Callable[[], Sequence[bytes]]) -> Callable[[], Sequence[bytes]]:
    return lambda: [one[1:] for one in seeds()]


def _address() -> Sequence[bytes]:
    return [
        b"https://kartu.example/k?e=" + b"AB" * 16 + b"&m=" + b"CD" * 8,
        b"https://x.example/?e=" + b"AB" * 16 + b"&c=" + b"CD" * 8,
        b"https://x.example/?picc_data=" + b"AB" * 16 + b"&enc=" + b"00" * 16 + b"&cmac=" + b"CD" * 8,
    ]


_CREATE: Final = (Ins.CREATE_STANDARD_FILE, Ins.CREATE_BACKUP_FILE, Ins.CREATE_VALUE_FILE, Ins.CREATE_CYCLIC_FILE, Ins.CREATE_TMAC_FILE)  # fmt: skip


DECODERS: Final = [
    Decoder("batch", decode_batch, BatchInvalid, lambda: [world.batch()]),
    Decoder("batch of values", decode_batch, BatchInvalid, lambda: [world.batch()], "cbor"),
    Decoder(
        "record", lambda data: decode_record(data, 1), BatchInvalid, lambda: [encode_record(one) for one in world.records()[:1]],
        again=encode_record,
    ),
    Decoder("record of values", lambda data: decode_record(data, 1), BatchInvalid, lambda: [encode_record(one) for one in world.records()[:1]], "cbor"),
    Decoder("TMI", parse, EvidenceError, lambda: [one.tmi for one in world.records()]),
    Decoder("identity file", Identity.decode, EvidenceError, lambda: [parse(world.records()[0].tmi).identity.encode()]),
    Decoder("journey file", Journey.decode, EvidenceError, lambda: [Journey().encode()]),
    Decoder("log record", LogRecord.decode, EvidenceError, lambda: [parse(one.tmi).record.encode() for one in world.records()]),
    Decoder("reader id", ReaderId.decode, EvidenceError, lambda: [parse(world.records()[0].tmi).reader.encode()]),
    Decoder("answer", answered, CardError, lambda: [b"\x91\x00", b"ab\x91\xaf"]),
    Decoder("answer in an EV1 session", _secured(_ev1), CardError, _secure_answers(_ev1), taken=False),
    Decoder("answer in a D40 session", _secured(_d40), CardError, _secure_answers(_d40), taken=False),
    Decoder("answer of a relayed session", _relayed, CardError, lambda: [bytes(8) + b"\x91\x00", b"\x91\xae"], taken=False),
    Decoder("answers of a tap", _changing(_opened), CardError, _answers(_opened), slow=True, taken=False),
    Decoder("answers to whoever asks what a card is", lambda data: recognise(Scripted(data)), CardError, _script(recognise)),
    Decoder("answers from afar", _far, CardError, _script(_opened), taken=False),
    Decoder("answers to a phone", lambda data: ndef.read_address(Scripted(data)), CardError, lambda: [joined([b"\x90\x00", b"\x90\x00", bytes(15) + b"\x90\x00", b"\x90\x00", b"\x00\x0a\x90\x00", b"\xd1\x01\x06U\x04a.id/\x90\x00"])]),
    Decoder("commands to the virtual card", _commanded, _NOTHING, _commands, slow=True),
    Decoder("saved card", VirtualCard.load, ValueError, lambda: [_saved()], "cbor"),
    Decoder("file as created", lambda data: parse_create(_CREATE[(data or b"\0")[0] % len(_CREATE)], data[1:]), _NOTHING, _asked(*_CREATE)),
    Decoder("file as described", parse_described, _NOTHING, lambda: [bytes.fromhex("0003eeee200000"), bytes(17)]),
    Decoder("rights as changed", parse_rights, _NOTHING, lambda: [bytes.fromhex("03eeee"), bytes.fromhex("40eeeec1f121200000430000430000")]),
    Decoder("application as created", parse_application, _NOTHING, _without_code(_asked(Ins.CREATE_APPLICATION))),
    Decoder("version of a chip", parse_version, _NOTHING, lambda: [bytes.fromhex("04010133001a05040103030318052104112233445566aabbccddee2926")[:28]]),
    Decoder("SDM settings", Sdm.decode, _NOTHING, lambda: [Sdm(0, 0, picc_at=3, mac_input_at=3, mac_at=40).encode()]),
    Decoder("address of a phone tap", world.as_text(ndef.parse_address), TapRefused, _address),
]  # fmt: skip
