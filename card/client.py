"""The terminal's side of a card: authentication and one method per command, in EV2 secure messaging."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from card import ev2
from card.apdu import SW1, Ins, Status, wrap
from card.errors import CardForeign, SessionBroken, StatusError
from card.ev2 import CommMode
from keys.cmac import BLOCK

if TYPE_CHECKING:
    from card.commands import FileSettings
    from card.transport import Transport
    from keys.vault import CardKey

_FRAMES_MAX = 16


def exchange(transport: Transport, ins: int, data: bytes = b"") -> tuple[int, bytes]:
    """Send one native command and collect its frames; status and data.

    Raises CardLost, SessionBroken (bytes that are no answer), StatusError for every status but OK and AF.
    """
    answer = _status(transport.transmit(wrap(ins, data)))
    if answer[0] != Status.ADDITIONAL_FRAME or ins in _HANDSHAKES:
        return answer
    collected = bytearray(answer[1])
    for _ in range(_FRAMES_MAX):
        status, more = _status(transport.transmit(wrap(Ins.ADDITIONAL_FRAME)))
        collected += more
        if status == Status.OK:
            return status, bytes(collected)
    raise SessionBroken("the card's answer does not end; tap again")


_HANDSHAKES = frozenset({Ins.AUTHENTICATE_EV2_FIRST, Ins.AUTHENTICATE_EV2_NON_FIRST})


def _status(answer: bytes) -> tuple[int, bytes]:
    if len(answer) < 2:  # noqa: PLR2004  two status bytes
        raise SessionBroken("the card's answer has no status; tap again")
    if answer[-2] != SW1:
        raise CardForeign(f"this is no card of the city (status {answer[-2:].hex()})")
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


def authenticate(transport: Transport, key_no: int, key: CardKey) -> Session:
    """AuthenticateEV2First (AN12343 table 16).

    Raises StatusError AUTHENTICATION_ERROR where the card has another key, SessionBroken where the card does not prove that it has ours.
    """
    _, challenge = exchange(transport, Ins.AUTHENTICATE_EV2_FIRST, bytes((key_no, 0)))
    if len(challenge) != BLOCK:
        raise SessionBroken("the card's challenge has a wrong length; tap again")
    rnd_b = key.decrypt(challenge, ev2.ZERO_IV)
    rnd_a = secrets.token_bytes(BLOCK)
    answer = key.encrypt(rnd_a + ev2.rotated(rnd_b), ev2.ZERO_IV)
    _, proof = exchange(transport, Ins.ADDITIONAL_FRAME, answer)
    if len(proof) != 2 * BLOCK:
        raise SessionBroken("the card's proof has a wrong length; tap again")
    plain = key.decrypt(proof, ev2.ZERO_IV)
    if not ev2.same(plain[ev2.TI_BYTES : ev2.TI_BYTES + BLOCK], ev2.rotated(rnd_a)):
        raise SessionBroken("the card does not know its own key: not a genuine card")
    return Session(transport, ev2.Channel(ev2.session_keys(key, rnd_a, rnd_b), plain[: ev2.TI_BYTES]))


def _range(file_no: int, offset: int, length: int) -> bytes:
    return bytes((file_no,)) + offset.to_bytes(3, "little") + length.to_bytes(3, "little")


class Session:
    """An authenticated session; after any error it is over, and the card has forgotten what was pending."""

    def __init__(self, transport: Transport, channel: ev2.Channel) -> None:
        self._transport = transport
        self._channel = channel

    def _send(
        self, ins: int, header: bytes, mode: CommMode, body: bytes = b"", answer: CommMode | None = None
    ) -> bytes:
        """One command: `mode` is how the body travels, `answer` how the answer's data does (as the body by default)."""
        channel = self._channel
        sealed = channel.encrypt(body, channel.command_iv()) if body and mode is CommMode.FULL else body
        data = header + sealed
        if mode is not CommMode.PLAIN:
            data += channel.command_mac(ins, data)
        _, received = exchange(self._transport, ins, data)
        channel.advance()
        return self._opened(received, mode if answer is None else answer)

    def _opened(self, received: bytes, mode: CommMode) -> bytes:
        if mode is CommMode.PLAIN:
            return received
        channel = self._channel
        data, mac = received[: -ev2.MAC_BYTES], received[-ev2.MAC_BYTES :]
        if not ev2.same(mac, channel.response_mac(Status.OK, data)):
            raise SessionBroken("the answer is not the card's own; tap again")
        return channel.decrypt(data, channel.response_iv()) if data and mode is CommMode.FULL else data

    def read(self, file_no: int, mode: CommMode, offset: int = 0, length: int = 0) -> bytes:
        """ReadData; length 0 is all."""
        command = CommMode.PLAIN if mode is CommMode.PLAIN else CommMode.MAC
        return self._send(Ins.READ_DATA, _range(file_no, offset, length), command, answer=mode)

    def write(self, file_no: int, data: bytes, mode: CommMode, offset: int = 0) -> None:
        """WriteData."""
        self._send(Ins.WRITE_DATA, _range(file_no, offset, len(data)), mode, data)

    def value(self, file_no: int) -> int:
        """GetValue of a file in full mode."""
        data = self._send(Ins.GET_VALUE, bytes((file_no,)), CommMode.MAC, answer=CommMode.FULL)
        return int.from_bytes(data, "little", signed=True)

    def debit(self, file_no: int, amount: int) -> None:
        """Debit in full mode; pending until commit."""
        self._send(Ins.DEBIT, bytes((file_no,)), CommMode.FULL, amount.to_bytes(4, "little"))

    def credit(self, file_no: int, amount: int) -> None:
        """Credit in full mode; pending until commit."""
        self._send(Ins.CREDIT, bytes((file_no,)), CommMode.FULL, amount.to_bytes(4, "little"))

    def write_record(self, file_no: int, data: bytes, mode: CommMode) -> None:
        """WriteRecord; pending until commit."""
        self._send(Ins.WRITE_RECORD, _range(file_no, 0, len(data)), mode, data)

    def read_records(self, file_no: int, mode: CommMode, count: int = 0) -> bytes:
        """ReadRecords from the newest backwards, given oldest first; count 0 is all."""
        command = CommMode.PLAIN if mode is CommMode.PLAIN else CommMode.MAC
        return self._send(Ins.READ_RECORDS, _range(file_no, 0, count), command, answer=mode)

    def commit_reader_id(self, reader_id: bytes) -> bytes:
        """CommitReaderID; answers the previous reader's id, encrypted (16 bytes)."""
        return self._send(Ins.COMMIT_READER_ID, reader_id, CommMode.MAC)

    def commit(self) -> tuple[int, bytes]:
        """CommitTransaction with option 01: the new counter and the Transaction MAC Value (8 bytes)."""
        signed = self._send(Ins.COMMIT_TRANSACTION, b"\x01", CommMode.MAC)
        return int.from_bytes(signed[:4], "little"), signed[4:]

    def commit_unsigned(self) -> None:
        """CommitTransaction in an application without a TMAC file."""
        self._send(Ins.COMMIT_TRANSACTION, b"", CommMode.MAC)

    def abort(self) -> None:
        """AbortTransaction: what is pending is forgotten, the session goes on."""
        self._send(Ins.ABORT_TRANSACTION, b"", CommMode.MAC)

    def create_application(self, payload: bytes) -> None:
        """CreateApplication."""
        self._send(Ins.CREATE_APPLICATION, b"", CommMode.MAC, payload)

    def create_file(self, ins: int, file_no: int, settings: FileSettings) -> None:
        """One of the Create commands, then ChangeFileSettings where there are more sets of rights."""
        self._send(ins, b"", CommMode.MAC, settings.create_payload(file_no))
        if len(settings.rights) > 1:
            body = settings.rights_payload()
            self._send(Ins.CHANGE_FILE_SETTINGS, bytes((file_no,)), CommMode.FULL, body, CommMode.MAC)

    def create_tmac_file(self, file_no: int, settings: FileSettings, key: CardKey) -> None:
        """CreateTransactionMACFile; the key travels sealed by its vault."""
        header = settings.create_payload(file_no)
        sealed = key.sealed(self._channel.enc_key, self._channel.command_iv(), None)
        self._send(Ins.CREATE_TMAC_FILE, header + sealed, CommMode.MAC)

    def change_key(self, key_no: int, key: CardKey, old: CardKey) -> None:
        """ChangeKey of a key other than the one in use."""
        sealed = key.sealed(self._channel.enc_key, self._channel.command_iv(), old)
        self._send(Ins.CHANGE_KEY, bytes((key_no,)) + sealed, CommMode.MAC)

    def change_own_key(self, key_no: int, key: CardKey) -> None:
        """ChangeKey of the key in use: answered without a MAC, and the session is over (AN12343 table 40)."""
        sealed = key.sealed(self._channel.enc_key, self._channel.command_iv(), None)
        self._send(Ins.CHANGE_KEY, bytes((key_no,)) + sealed, CommMode.MAC, answer=CommMode.PLAIN)

    def card_uid(self) -> bytes:
        """GetCardUID: the UID that the chip itself states, encrypted."""
        return self._send(Ins.GET_CARD_UID, b"", CommMode.MAC, answer=CommMode.FULL)

    def key_version(self, key_no: int) -> int:
        """GetKeyVersion."""
        return self._send(Ins.GET_KEY_VERSION, bytes((key_no,)), CommMode.MAC)[0]
