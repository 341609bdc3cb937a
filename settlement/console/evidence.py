"""What a chip signed, named field by field with its bytes: the Transaction MAC Input of a tap, out of the batch that was signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from card.apdu import Ins
from card.batch import TapRecord, decode_batch
from card.errors import CardError
from card.evidence import entries
from card.journey import Journey
from card.layout import File, Identity, LogRecord, ReaderId
from card.tmac import READER_ID_BYTES
from keys import envelope
from keys.clock import UnixMs, date_of, local
from keys.errors import KeysError
from ledger.chain.store import read_documents
from ledger.intake import store

if TYPE_CHECKING:
    from card.evidence import Entry
    from ledger.intake.store import BatchRow
    from ledger.store import Connection

    Field = tuple[str, str, str]

_MS: Final = 1000
_BLOCK: Final = 16


def record_of(
    connection: Connection, terminal: int, sequence: int
) -> tuple[TapRecord | None, BatchRow | None]:
    """A terminal's record out of the signed batch that brought it; None where there is no such record."""
    batch = store.batch_with(connection, terminal, sequence)
    if batch is None:
        return None, None
    body = read_documents(connection, batch.block)[batch.ordinal]
    try:
        records = decode_batch(envelope.parse(body).payload).records
    except KeysError:
        return None, batch
    found = next((one for one in records if isinstance(one, TapRecord) and one.sequence == sequence), None)
    return found, batch


def fields_of(record: TapRecord) -> list[Field]:
    """Every field that the chip signed: the command it stood in, what it says, and its bytes in hexadecimal.

    Raises EvidenceError where the input is none.
    """
    found: list[Field] = []
    for entry in entries(record.tmi):
        found += _named(entry)
    return found


def signed_fields(record: TapRecord | None) -> tuple[list[Field], str]:
    """The same for a record that may be absent, or whose input is none: the fields, and what is wrong with them."""
    if record is None:
        return [], ""
    try:
        return fields_of(record), ""
    except (CardError, KeysError) as error:
        return [], str(error)


def _named(entry: Entry) -> list[Field]:
    command = Ins(entry.ins).name.replace("_", " ").lower()
    if entry.ins == Ins.COMMIT_READER_ID:
        reader = ReaderId.decode(entry.data[:READER_ID_BYTES])
        told = f"terminal {reader.terminal}, record {reader.sequence}, {_second(reader.at)}"
        rest = entry.data[READER_ID_BYTES:]
        return [
            (f"{command}: who commits", told, _hex(entry.data[:READER_ID_BYTES])),
            (f"{command}: who committed before (encrypted)", "only the ledger's vault opens it", _hex(rest)),
        ]
    if not entry.data:
        return [(f"{command}, file {entry.file_no:02X}", f"Rp{entry.value:,}".replace(",", "."), _hex(entry.value.to_bytes(4, "little", signed=True)))]  # fmt: skip
    name = f"{command}, file {entry.file_no:02X}"
    return [(name, _said(entry), _hex(entry.data))]


def _said(entry: Entry) -> str:
    """What a file's bytes say."""
    if entry.file_no == File.IDENTITY:
        card = Identity.decode(entry.data)
        return (
            f"card {card.card_number:016d}, issuer {card.issuer:04d}, product {card.product}, "
            f"{'registered' if card.registered else 'not registered'}, concession {card.concession.name.lower()}, "
            f"valid until {date_of(card.valid_until).isoformat()}"
        )
    if entry.file_no == File.LOG:
        log = LogRecord.decode(entry.data)
        return (
            f"{log.kind.name.lower().replace('_', ' ')} Rp{log.amount:,}, balance after Rp{log.balance_after:,}, "
            f"{_second(log.at)}, terminal {log.terminal}, record {log.sequence}, reference {log.reference}"
        ).replace(",0", ".0")
    if entry.file_no == File.JOURNEY:
        journey = Journey.decode(entry.data)
        return f"{journey.state.name.lower()}, transfers {journey.transfers}, day's total Rp{journey.day_total}, last terminal {journey.last_terminal}"
    return "bytes"


def _second(at: int) -> str:
    return local(UnixMs(at * _MS)).strftime("%Y-%m-%d %H:%M:%S") if at else "no time"


def _hex(data: bytes) -> str:
    return data.hex(" ").upper()
