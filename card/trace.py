"""What went between a terminal and a card: recorded with its times, and rendered a line an exchange, without secrets.

Time is kept in two parts. `Exchange.host_ns` is the terminal's own: from the last answer (for the first exchange, from the recorder's
making) to this command. The time inside the exchange is the reader's, the air's and the chip's: `card.airtime` models that of a real card.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from card.apdu import CLA, GET_UID, SW1, Ins, Status, unwrap
from card.ev2 import MAC_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from card.transport import Transport

KEPT_MAX: Final = 1_000
"""Exchanges that a recorder keeps by default; older ones go first."""
_STATUS_BYTES: Final = 2
_ISO_NAMES: Final = {0xA4: "ISO_SELECT", 0xB0: "ISO_READ_BINARY"}
_ISO_STATUS: Final = {0x9000: "OK", 0x6A82: "FILE_NOT_FOUND", 0x6D00: "INS_UNKNOWN"}
_AUTHENTICATIONS: Final = frozenset(
    {Ins.AUTHENTICATE_AES, Ins.AUTHENTICATE_EV2_FIRST, Ins.AUTHENTICATE_EV2_NON_FIRST}
)
_OPEN: Final = frozenset(
    {
        Ins.GET_VERSION, Ins.SELECT_APPLICATION, Ins.CREATE_APPLICATION, Ins.DELETE_APPLICATION, Ins.GET_APPLICATION_IDS,
        Ins.GET_KEY_SETTINGS, Ins.GET_KEY_VERSION, Ins.CREATE_STANDARD_FILE, Ins.CREATE_BACKUP_FILE,
        Ins.CREATE_VALUE_FILE, Ins.CREATE_LINEAR_FILE, Ins.CREATE_CYCLIC_FILE, Ins.DELETE_FILE, Ins.GET_FILE_IDS,
        Ins.GET_FILE_SETTINGS, Ins.CLEAR_RECORD_FILE, Ins.COMMIT_TRANSACTION, Ins.ABORT_TRANSACTION, Ins.FORMAT_PICC,
    }
)  # fmt: skip
"""Commands whose bytes hold no cryptogram: their MACs prove something, and give nothing away."""
_PLACED: Final = frozenset({Ins.READ_DATA, Ins.WRITE_DATA, Ins.READ_RECORDS, Ins.WRITE_RECORD})
"""Commands that begin with a file number, a start and a length (or count)."""
_PLACE_BYTES: Final = 7
_VALUE_BYTES: Final = 4
_HEADER_BYTES: Final = 5
"""Class, instruction, parameters and length of an APDU."""
_HEADERS: Final[Mapping[int, int]] = {
    **dict.fromkeys((Ins.CHANGE_KEY, Ins.CHANGE_FILE_SETTINGS, Ins.SET_CONFIGURATION), 1),
    **dict.fromkeys((Ins.CREDIT, Ins.DEBIT, Ins.LIMITED_CREDIT), 1),
    **dict.fromkeys((Ins.AUTHENTICATE_AES, Ins.AUTHENTICATE_EV2_NON_FIRST), 1),
    **dict.fromkeys((Ins.WRITE_DATA, Ins.WRITE_RECORD), _PLACE_BYTES),
    **dict.fromkeys((Ins.READ_DATA, Ins.READ_RECORDS), _PLACE_BYTES + MAC_BYTES),
    Ins.UPDATE_RECORD: _PLACE_BYTES + 3,
    Ins.CREATE_TMAC_FILE: 5,
    Ins.AUTHENTICATE_EV2_FIRST: 8,
    Ins.GET_CARD_UID: MAC_BYTES,
    Ins.GET_VALUE: 1 + MAC_BYTES,
    Ins.COMMIT_READER_ID: 16 + MAC_BYTES,
}
"""How many bytes of a command's data may be shown; the rest is enciphered, a key, or a proof of one."""
_VALUES: Final = frozenset({Ins.CREDIT, Ins.DEBIT, Ins.LIMITED_CREDIT, Ins.GET_VALUE})
_FILE_FIRST: Final = frozenset(
    {
        *_PLACED, *_VALUES, Ins.CREATE_TMAC_FILE, Ins.CHANGE_FILE_SETTINGS, Ins.UPDATE_RECORD, Ins.GET_FILE_SETTINGS,
        Ins.DELETE_FILE, Ins.CLEAR_RECORD_FILE, Ins.CREATE_STANDARD_FILE, Ins.CREATE_BACKUP_FILE, Ins.CREATE_VALUE_FILE,
        Ins.CREATE_LINEAR_FILE, Ins.CREATE_CYCLIC_FILE,
    }
)  # fmt: skip
_KEY_FIRST: Final = frozenset({*_AUTHENTICATIONS, Ins.CHANGE_KEY, Ins.GET_KEY_VERSION})


@dataclass(frozen=True, slots=True)
class Exchange:
    """A command and its answer, both whole; `answer` is b"" where the card was lost. `host_ns` is in nanoseconds."""

    apdu: bytes
    answer: bytes
    host_ns: int


class Recorder:
    """A Transport around another: keeps the last `keep` exchanges and gives each to `sink`.

    `clock` gives nanoseconds that never run backwards. What the transport raises goes on to the caller, after the exchange was kept.
    """

    def __init__(
        self,
        card: Transport,
        sink: Callable[[Exchange], None] | None = None,
        keep: int = KEPT_MAX,
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self._card = card
        self._sink = sink
        self._kept: deque[Exchange] = deque(maxlen=keep)
        self._clock = clock
        self._answered = clock()

    @property
    def uid(self) -> bytes:
        """The card's own seven bytes."""
        return self._card.uid

    @property
    def exchanges(self) -> list[Exchange]:
        """What is kept, oldest first."""
        return list(self._kept)

    @property
    def idle_ns(self) -> int:
        """Nanoseconds since the last answer: the terminal's work after the card's part."""
        return self._clock() - self._answered

    def transmit(self, apdu: bytes) -> bytes:
        """Exchange, and keep it; raises what the card's transport raises."""
        host_ns = self.idle_ns
        answer = b""
        try:
            answer = self._card.transmit(apdu)
        finally:
            self._keep(Exchange(apdu, answer, host_ns))
        return answer

    def _keep(self, exchange: Exchange) -> None:
        self._answered = self._clock()
        self._kept.append(exchange)
        if self._sink is not None:
            self._sink(exchange)


def name_of(apdu: bytes) -> str:
    """A command's name: DESFire's in ISO wrapping, ISO SELECT and READ BINARY, the reader's own GET_UID; else its first bytes."""
    if apdu[:2] == GET_UID[:2]:
        return "GET_UID"
    native = unwrap(apdu)
    if native is not None:
        return Ins(native[0]).name if native[0] in set(Ins) else f"COMMAND_{native[0]:02X}"
    if len(apdu) >= 2 and apdu[0] != CLA and apdu[1] in _ISO_NAMES:  # noqa: PLR2004  class and instruction
        return _ISO_NAMES[apdu[1]]
    return f"APDU_{apdu[:2].hex().upper()}"


def status_of(answer: bytes) -> str:
    """An answer's status by name: LOST for no answer, NO_STATUS for one byte, four hexadecimal digits for one without a name here."""
    if len(answer) < _STATUS_BYTES:
        return "NO_STATUS" if answer else "LOST"
    status = answer[-1]
    if answer[-2] == SW1 and status in set(Status):
        return Status(status).name
    word = int.from_bytes(answer[-2:], "big")
    return _ISO_STATUS.get(word, f"{word:04X}")


def render(exchange: Exchange, *, show_secrets: bool = False) -> str:
    """One line: `-> name fields bytes <- status bytes`, bytes in hexadecimal.

    Cryptograms (authentication, enciphered bodies, keys and their MACs) are counted, not shown, unless `show_secrets`. Where a command's
    form alone does not tell whether an answer is enciphered, it is hidden.
    """
    apdu, answered = exchange.apdu, exchange.answer[:-_STATUS_BYTES]
    secret = range(0) if show_secrets else _secret_bytes(apdu)
    clear = show_secrets or _answer_is_clear(apdu, answered)
    sent = [name_of(apdu), *_fields(apdu), *_bytes(apdu, secret)]
    received = [status_of(exchange.answer), *_bytes(answered, range(0 if clear else len(answered)))]
    return f"-> {' '.join(sent)} <- {' '.join(received)}"


def _bytes(data: bytes, secret: range) -> list[str]:
    if not secret:
        return [data.hex()] if data else []
    count = f"<{len(secret)} {'byte' if len(secret) == 1 else 'bytes'} hidden>"
    return [part for part in (data[: secret.start].hex(), count, data[secret.stop :].hex()) if part]


def _secret_bytes(apdu: bytes) -> range:
    """Which bytes of a command may not be shown."""
    command = unwrap(apdu)
    if command is None:
        return range(0) if _is_public(apdu) else range(min(len(apdu), _HEADER_BYTES - 1), len(apdu))
    ins, data = command
    shown = _HEADERS.get(ins, 0)
    if ins in _OPEN or shown >= len(data) or _plain_body(ins, data):
        return range(0)
    return range(_HEADER_BYTES + shown, _HEADER_BYTES + len(data))


def _is_public(apdu: bytes) -> bool:
    """True for the reader's own GET_UID, and for the ISO commands that anybody's phone sends."""
    return apdu[:2] == GET_UID[:2] or (apdu[:1] == b"\x00" and apdu[1:2] in {b"\xa4", b"\xb0"})


def _plain_body(ins: int, data: bytes) -> bool:
    """True where the length says that what is written, or moved, travels unenciphered (with or without a MAC)."""
    if ins in {Ins.WRITE_DATA, Ins.WRITE_RECORD} and len(data) >= _PLACE_BYTES:
        body = len(data) - _PLACE_BYTES
        return body in {_length(data), _length(data) + MAC_BYTES}
    return ins in _VALUES and len(data) - 1 in {_VALUE_BYTES, _VALUE_BYTES + MAC_BYTES}


def _length(data: bytes) -> int:
    return int.from_bytes(data[4:_PLACE_BYTES], "little")


def _answer_is_clear(apdu: bytes, answered: bytes) -> bool:
    """True where the command's form alone says that its answer holds no cryptogram."""
    command = unwrap(apdu)
    if command is None:
        return _is_public(apdu)
    ins, data = command
    if ins in _OPEN or ins in {Ins.WRITE_DATA, Ins.WRITE_RECORD}:
        return True
    if ins == Ins.READ_DATA and _length(data):
        return len(answered) in {_length(data), _length(data) + MAC_BYTES}
    if ins == Ins.GET_VALUE:
        return len(answered) in {_VALUE_BYTES, _VALUE_BYTES + MAC_BYTES}
    return ins in _PLACED and len(data) == _PLACE_BYTES  # EV2 puts a MAC into every command of a session


def _fields(apdu: bytes) -> list[str]:
    """The command's header, in words."""
    ins, data = unwrap(apdu) or (0, b"")
    if not data:
        return []
    if ins in _PLACED and len(data) >= _PLACE_BYTES:
        records = ins == Ins.READ_RECORDS
        start = int.from_bytes(data[1:4], "little")
        names = ("record", "count") if records else ("offset", "length")
        return [f"file {data[0]:02X}", f"{names[0]} {start}", f"{names[1]} {_length(data) or 'all'}"]
    if ins in _FILE_FIRST:
        return [f"file {data[0]:02X}"]
    if ins in _KEY_FIRST:
        return [f"key {data[0]}"]
    if ins == Ins.SELECT_APPLICATION:
        return [f"application {data[::-1].hex()}"]
    return [f"option {data[0]:02X}"] if ins in {Ins.COMMIT_TRANSACTION, Ins.SET_CONFIGURATION} else []
