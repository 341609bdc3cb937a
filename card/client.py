"""The terminal's side of a card: exchange of commands, authentication, and one method for each command on files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card import ev2
from card.apdu import FRAME_DATA_MAX, ISO_DATA_MAX, SW1, Ins, Status, wrap
from card.channel import CommMode
from card.errors import CardForeign, SessionBroken, StatusError
from card.handshake import Handshake

if TYPE_CHECKING:
    from card.channel import Channel
    from card.transport import Transport
    from keys.vault import CardKey

_FRAMES_MAX = 16


def exchange(transport: Transport, ins: int, data: bytes = b"") -> tuple[int, bytes]:
    """Send one native command, in frames where it is long, and collect the frames of its answer; status and data.

    Raises CardLost, SessionBroken (bytes that are no answer), StatusError for every status but OK and AF.
    """
    first, *rest = _frames(data)
    answer = answered(transport.transmit(wrap(ins, first)))
    for frame in rest:
        if answer[0] != Status.ADDITIONAL_FRAME:
            raise SessionBroken("the card did not wait for the rest of the command; tap again")
        answer = answered(transport.transmit(wrap(Ins.ADDITIONAL_FRAME, frame)))
    if answer[0] != Status.ADDITIONAL_FRAME or ins in _HANDSHAKES:
        return answer
    return Status.OK, _collected(transport, answer[1])


def _frames(data: bytes) -> list[bytes]:
    """One frame where an APDU holds the data, or as many of the chip's own size as it takes."""
    if len(data) <= ISO_DATA_MAX:
        return [data]
    return [data[at : at + FRAME_DATA_MAX] for at in range(0, len(data), FRAME_DATA_MAX)]


def _collected(transport: Transport, first: bytes) -> bytes:
    collected = bytearray(first)
    for _ in range(_FRAMES_MAX):
        status, more = answered(transport.transmit(wrap(Ins.ADDITIONAL_FRAME)))
        collected += more
        if status == Status.OK:
            return bytes(collected)
    raise SessionBroken("the card's answer does not end; tap again")


_HANDSHAKES = frozenset(
    {
        Ins.AUTHENTICATE_EV2_FIRST, Ins.AUTHENTICATE_EV2_NON_FIRST, Ins.AUTHENTICATE_AES, Ins.AUTHENTICATE_ISO,
        Ins.AUTHENTICATE_LEGACY,
    }
)  # fmt: skip


def answered(answer: bytes) -> tuple[int, bytes]:
    """Status and data of an answer APDU; raises as `exchange` does."""
    if len(answer) < 2:  # noqa: PLR2004  two status bytes
        raise SessionBroken("the card's answer was cut short; tap again")
    if answer[-2] != SW1:
        raise CardForeign("this is no card of this city")
    status = answer[-1]
    if status not in {Status.OK, Status.ADDITIONAL_FRAME}:
        raise StatusError(status)
    return status, answer[:-2]


def select(transport: Transport, aid: bytes) -> None:
    """Select an application; StatusError APPLICATION_NOT_FOUND where the card has none."""
    exchange(transport, Ins.SELECT_APPLICATION, aid[::-1])


def read_free(transport: Transport, file_no: int, length: int = 0) -> bytes:
    """ReadData without authentication, from the start of a file whose reading is free."""
    return exchange(transport, Ins.READ_DATA, _range(file_no, 0, length))[1]


def free(transport: Transport) -> Session:
    """A session without authentication: what the chip gives everybody."""
    return Session(transport, None)


def authenticate(transport: Transport, key_no: int, key: CardKey) -> Session:
    """AuthenticateEV2First (AN12343 table 16).

    Raises StatusError AUTHENTICATION_ERROR where the card has another key, SessionBroken where the card does not prove that it has ours.
    """
    keys, ti = _proven(transport, Ins.AUTHENTICATE_EV2_FIRST, bytes((key_no, 0)), Handshake(key))
    return Session(transport, ev2.Channel(keys, ti))


def _proven(
    transport: Transport, ins: Ins, asked: bytes, handshake: Handshake
) -> tuple[ev2.SessionKeys, bytes]:
    """Session keys and identifier, once the card has proved that it has the key."""
    _, challenge = exchange(transport, ins, asked)
    _, proof = exchange(transport, Ins.ADDITIONAL_FRAME, handshake.answer(challenge))
    return handshake.proven(proof)


def _range(file_no: int, offset: int, length: int) -> bytes:
    return bytes((file_no,)) + offset.to_bytes(3, "little") + length.to_bytes(3, "little")


class Session:
    """An authenticated session; after any error it is over, and the card has forgotten what was pending."""

    def __init__(self, transport: Transport, channel: Channel | None) -> None:
        self._transport = transport
        self._channel = channel

    @property
    def _ev2(self) -> ev2.Channel:
        """The channel of a command that needs EV2 secure messaging."""
        if not isinstance(self._channel, ev2.Channel):
            raise SessionBroken("this command needs an EV2 session: authenticate first")
        return self._channel

    def send(
        self,
        ins: int,
        header: bytes,
        mode: CommMode = CommMode.MAC,
        body: bytes = b"",
        answer: CommMode | None = None,
    ) -> bytes:
        """One command: `mode` is how the body travels, `answer` how the answer's data does (as the body by default)."""
        if self._channel is None:
            return exchange(self._transport, ins, header + body)[1]
        _, received = exchange(self._transport, ins, self._channel.command(ins, header, body, mode))
        return self._channel.opened_answer(received, mode if answer is None else answer)

    def send_last(self, ins: int, header: bytes, mode: CommMode = CommMode.MAC, body: bytes = b"") -> None:
        """A command that ends the session by replacing the key it stands on: its answer carries no MAC (AN12343 table 40)."""
        channel, self._channel = self._channel, None
        exchange(self._transport, ins, channel.command(ins, header, body, mode) if channel else header + body)

    def authenticate_again(self, key_no: int, key: CardKey) -> None:
        """AuthenticateEV2NonFirst: another key within the same session; counters and what is pending go on."""
        channel = self._ev2
        handshake = Handshake(key, first=False)
        keys, _ = _proven(self._transport, Ins.AUTHENTICATE_EV2_NON_FIRST, bytes((key_no,)), handshake)
        self._channel = ev2.Channel(keys, channel.ti, channel.counter)

    def read(self, file_no: int, mode: CommMode, offset: int = 0, length: int = 0) -> bytes:
        """ReadData; length 0 is all."""
        command = CommMode.PLAIN if mode is CommMode.PLAIN else CommMode.MAC
        return self.send(Ins.READ_DATA, _range(file_no, offset, length), command, answer=mode)

    def write(self, file_no: int, data: bytes, mode: CommMode, offset: int = 0) -> None:
        """WriteData."""
        self.send(Ins.WRITE_DATA, _range(file_no, offset, len(data)), mode, data)

    def value(self, file_no: int) -> int:
        """GetValue of a file in full mode."""
        data = self.send(Ins.GET_VALUE, bytes((file_no,)), CommMode.MAC, answer=CommMode.FULL)
        return int.from_bytes(data, "little", signed=True)

    def debit(self, file_no: int, amount: int) -> None:
        """Debit in full mode; pending until commit."""
        self.send(Ins.DEBIT, bytes((file_no,)), CommMode.FULL, amount.to_bytes(4, "little"))

    def credit(self, file_no: int, amount: int) -> None:
        """Credit in full mode; pending until commit."""
        self.send(Ins.CREDIT, bytes((file_no,)), CommMode.FULL, amount.to_bytes(4, "little"))

    def limited_credit(self, file_no: int, amount: int) -> None:
        """LimitedCredit in full mode: gives back at most what the last committed debits took; pending until commit."""
        self.send(Ins.LIMITED_CREDIT, bytes((file_no,)), CommMode.FULL, amount.to_bytes(4, "little"))

    def write_record(self, file_no: int, data: bytes, mode: CommMode) -> None:
        """WriteRecord; pending until commit."""
        self.send(Ins.WRITE_RECORD, _range(file_no, 0, len(data)), mode, data)

    def read_records(self, file_no: int, mode: CommMode, count: int = 0) -> bytes:
        """ReadRecords from the newest backwards, given oldest first; count 0 is all."""
        command = CommMode.PLAIN if mode is CommMode.PLAIN else CommMode.MAC
        return self.send(Ins.READ_RECORDS, _range(file_no, 0, count), command, answer=mode)

    def update_record(self, file_no: int, latest: int, data: bytes, mode: CommMode) -> None:
        """UpdateRecord, `latest` steps before the newest; pending until commit."""
        header = _range(file_no, latest, 0) + len(data).to_bytes(3, "little")
        self.send(Ins.UPDATE_RECORD, header, mode, data)

    def clear_records(self, file_no: int) -> None:
        """ClearRecordFile; pending until commit."""
        self.send(Ins.CLEAR_RECORD_FILE, bytes((file_no,)))

    def commit_reader_id(self, reader_id: bytes) -> bytes:
        """CommitReaderID; answers the previous reader's id, encrypted (16 bytes)."""
        return self.send(Ins.COMMIT_READER_ID, reader_id, CommMode.MAC)

    def commit(self) -> tuple[int, bytes]:
        """CommitTransaction with option 01: the new counter and the Transaction MAC Value (8 bytes)."""
        signed = self.send(Ins.COMMIT_TRANSACTION, b"\x01", CommMode.MAC)
        return int.from_bytes(signed[:4], "little"), signed[4:]

    def commit_unsigned(self) -> None:
        """CommitTransaction in an application without a TMAC file."""
        self.send(Ins.COMMIT_TRANSACTION, b"", CommMode.MAC)

    def abort(self) -> None:
        """AbortTransaction: what is pending is forgotten, the session goes on."""
        self.send(Ins.ABORT_TRANSACTION, b"", CommMode.MAC)

    def sealed_key(self, key: CardKey, old: CardKey | None) -> bytes:
        """A key as it travels in this session: sealed by its vault, never seen here."""
        return key.sealed(self._ev2.enc_key, self._ev2.command_iv(), old)
