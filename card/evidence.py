"""What a card transaction was, read from the bytes that the chip signed (law 2).

A Transaction MAC Input is the list of commands since authentication, plain (`card.tmac`). A transaction of this city reads identity, journey and value, changes the
value at most once, writes one log record, may write the journey, and names its reader; anything else is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from card import tmac
from card.apdu import Ins
from card.errors import EvidenceError
from card.ev2 import same
from card.layout import RECORD_BYTES, File, Identity, Journey, LogRecord, ReaderId, TapKind
from keys.cmac import BLOCK
from keys.money import Rupiah

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keys.vault import CardKey

TMI_BYTES_MAX: Final = 1024
_VALUE_CHANGES = frozenset({Ins.DEBIT, Ins.CREDIT})


@dataclass(frozen=True, slots=True)
class Entry:
    """One command of the input: `place` is offset and length, or the value."""

    ins: int
    file_no: int
    value: int
    data: bytes


@dataclass(frozen=True, slots=True)
class CardTransaction:
    """A transaction as the chip signed it; `amount` is negative where the card paid."""

    identity: Identity
    journey_before: Journey
    balance_before: Rupiah
    amount: Rupiah
    record: LogRecord
    journey_after: Journey | None
    reader: ReaderId
    encrypted_previous_reader: bytes


def entries(tmi: bytes) -> Iterator[Entry]:
    """Take an input apart, entry by entry; raises EvidenceError at what no command of ours leaves."""
    if len(tmi) > TMI_BYTES_MAX or len(tmi) % BLOCK:
        raise EvidenceError(
            f"a transaction's input has whole blocks and at most {TMI_BYTES_MAX} bytes, not {len(tmi)}"
        )
    at = 0
    while at < len(tmi):
        entry, at = _entry(tmi, at)
        yield entry


def _entry(tmi: bytes, at: int) -> tuple[Entry, int]:
    ins, file_no = tmi[at], tmi[at + 1]
    if ins in {Ins.READ_DATA, Ins.WRITE_DATA, Ins.WRITE_RECORD}:
        return _data_entry(tmi, at)
    if ins in {Ins.GET_VALUE, Ins.DEBIT, Ins.CREDIT}:
        value = int.from_bytes(tmi[at + 2 : at + 6], "little", signed=True)
        _zeros(tmi[at + 6 : at + BLOCK])
        return Entry(ins, file_no, value, b""), at + BLOCK
    if ins == Ins.COMMIT_READER_ID:
        end = at + 3 * BLOCK
        _zeros(tmi[at + 33 : end])
        return Entry(ins, 0, 0, _exactly(tmi[at + 1 : at + 33], 32)), end
    raise EvidenceError(f"command {ins:02X} has no place in a transaction of this city")


def _data_entry(tmi: bytes, at: int) -> tuple[Entry, int]:
    offset = int.from_bytes(tmi[at + 2 : at + 5], "little")
    length = int.from_bytes(tmi[at + 5 : at + 8], "little")
    start = at + BLOCK
    end = start + -(-length // BLOCK) * BLOCK
    _zeros(tmi[at + 8 : start] + tmi[start + length : end])
    return Entry(tmi[at], tmi[at + 1], offset, _exactly(tmi[start : start + length], length)), end


def _zeros(filling: bytes) -> None:
    if filling.strip(b"\x00"):
        raise EvidenceError("there are bytes where the chip fills with zeros")


def _exactly(data: bytes, length: int) -> bytes:
    if len(data) != length:
        raise EvidenceError("the input ends within an entry")
    return data


def parse(tmi: bytes) -> CardTransaction:
    """The transaction that an input describes; raises EvidenceError where it does not add up."""
    found = _Found()
    for entry in entries(tmi):
        found.take(entry)
    return found.transaction()


class _Found:
    """The entries of one transaction, each at most once."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, int], Entry] = {}

    def take(self, entry: Entry) -> None:
        key = ("change", File.PURSE) if entry.ins in _VALUE_CHANGES else (Ins(entry.ins).name, entry.file_no)
        if key in self._entries:
            raise EvidenceError(f"{key[0]} of file {key[1]} happens twice in one transaction")
        self._entries[key] = entry

    def _whole(self, ins: Ins, file: File) -> bytes:
        entry = self._entries.pop((ins.name, file), None)
        if entry is None or entry.value or len(entry.data) != RECORD_BYTES:
            raise EvidenceError(f"{ins.name} of the whole file {file} is missing")
        return entry.data

    def _change(self) -> Rupiah:
        entry = self._entries.pop(("change", File.PURSE), None)
        if entry is None:
            return Rupiah(0)
        if entry.file_no != File.PURSE or entry.value <= 0:
            raise EvidenceError("the value changes elsewhere than in the purse, or by nothing")
        return Rupiah(entry.value if entry.ins == Ins.CREDIT else -entry.value)

    def transaction(self) -> CardTransaction:
        """All parts, checked against each other."""
        reader = self._entries.pop((Ins.COMMIT_READER_ID.name, 0), None)
        value = self._entries.pop((Ins.GET_VALUE.name, File.PURSE), None)
        if reader is None or value is None:
            raise EvidenceError("the reader's id or the balance is missing")
        moved = (Ins.WRITE_DATA.name, File.JOURNEY) in self._entries
        found = CardTransaction(
            identity=Identity.decode(self._whole(Ins.READ_DATA, File.IDENTITY)),
            journey_before=Journey.decode(self._whole(Ins.READ_DATA, File.JOURNEY)),
            balance_before=Rupiah(value.value),
            amount=self._change(),
            record=LogRecord.decode(self._whole(Ins.WRITE_RECORD, File.LOG)),
            journey_after=Journey.decode(self._whole(Ins.WRITE_DATA, File.JOURNEY)) if moved else None,
            reader=ReaderId.decode(reader.data[: tmac.READER_ID_BYTES]),
            encrypted_previous_reader=reader.data[tmac.READER_ID_BYTES :],
        )
        if self._entries:
            raise EvidenceError(f"{next(iter(self._entries))[0]} has no place in a transaction of this city")
        _adds_up(found)
        return found


def _adds_up(found: CardTransaction) -> None:
    record, reader = found.record, found.reader
    if record.amount != abs(found.amount) or record.balance_after != found.balance_before + found.amount:
        raise EvidenceError("the log record is not what happened to the value")
    if found.amount and record.kind is TapKind.LOCK:
        raise EvidenceError("a lock moves no money")
    if found.amount and record.kind.credits_card != (found.amount > 0):
        raise EvidenceError("the log record's kind does not fit the direction of the money")
    if (record.terminal, record.sequence, record.at) != (reader.terminal, reader.sequence, reader.at):
        raise EvidenceError("the log record names another terminal than the one that committed")


def tmv_of(key: CardKey, uid: bytes, tmc: int, tmi: bytes) -> bytes:
    """The Transaction MAC Value that the chip must have given; `key` is the card's Transaction MAC key."""
    mac_key, _ = tmac.session_keys(key, uid, tmc)
    return tmac.tmv(mac_key, tmi)


def verify(key: CardKey, uid: bytes, tmc: int, tmi: bytes, tmv: bytes) -> bool:
    """True where the chip signed this input at this counter; constant time."""
    return same(tmv_of(key, uid, tmc, tmi), tmv)


def previous_reader(key: CardKey, uid: bytes, tmc: int, encrypted: bytes) -> ReaderId | None:
    """Who committed on the card before this transaction; None for a card's first.

    Raises EvidenceError where another system's reader id stands there.
    """
    _, enc_key = tmac.session_keys(key, uid, tmc)
    plain = tmac.previous_reader(enc_key, encrypted)
    return ReaderId.decode(plain) if plain.strip(b"\x00") else None
