"""A rogue merchant's till: its sales are real, and what it sends to the ledger is not what it sold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import httpx2

from card.batch import (
    CONTENT_TYPE,
    RecordStatus,
    TapRecord,
    decode_batch,
    decode_record,
    encode_batch,
    encode_record,
)
from hebat.simulate.breach import Breach
from hebat.simulate.faults import Fault
from hebat.simulate.machine import client
from hebat.simulate.network import BATCHES
from keys import envelope
from keys.money import Rupiah

if TYPE_CHECKING:
    from collections.abc import Callable

    from hebat.simulate.machine import Machine

_OK: Final = 200
_READ: Final = 2 * 48
_BEFORE: Final = _READ + 2
_DEBITED: Final = _READ + 16 + 2
_LOGGED: Final = _READ + 2 * 16 + 16 + 1
_LEFT: Final = _LOGGED + 4
"""Where amounts stand in what a chip signs: the value read, the debit, the log record's amount and balance."""
_AHEAD: Final = 3
"""How many numbers are left out."""


def tamper(machine: Machine, fault: Fault, expected: int) -> str:
    """Send what the till has, falsified; what came of it. Raises Breach where numbers that were left out are taken at once.

    `expected` is the number with which the books want this terminal to go on.
    """
    terminal, formed = machine.terminal, list[bool]()
    terminal.outbox.release_before(machine.clock.now())
    batch = terminal.outbox.batch(_former(machine, fault, formed))
    if batch is None:
        return "nothing to send"
    with client(machine.line) as line:
        try:
            response = line.post(BATCHES, content=batch.body, headers={"Content-Type": "application/cose"})
        except httpx2.TransportError as error:
            return type(error).__name__
    if response.status_code != _OK:
        return str(response.status_code)
    if formed and decode_batch(envelope.parse(batch.body).payload).first_sequence > expected:
        raise Breach(3, f"terminal {machine.number} left out numbers, and was taken at its word")
    terminal.outbox.settle(batch)
    return ", ".join(str(one["result"]) for one in response.json()["results"])


def _former(machine: Machine, fault: Fault, formed: list[bool]) -> Callable[[int, bytes, list[bytes]], bytes]:
    def form(first: int, previous: bytes, raws: list[bytes]) -> bytes:
        formed.append(True)
        ahead = _AHEAD if fault is Fault.NUMBERS_LEFT_OUT else 0
        records = [_falsified(decode_record(raw, first + at), fault) for at, raw in enumerate(raws)]
        payload = encode_batch(machine.number, first + ahead, previous, machine.clock.now(), records)
        kid = machine.number.to_bytes(4, "big")
        return envelope.seal(payload, kid=kid, sign=machine.sign, content_type=CONTENT_TYPE)

    return form


def _falsified(record: TapRecord, fault: Fault) -> bytes:
    """A confirmed sale told otherwise: for another amount, or with other bytes than the chip signed."""
    if record.status is not RecordStatus.CONFIRMED:
        return encode_record(record)
    if fault is Fault.AMOUNT_FALSIFIED:
        return encode_record(replace(record, amount=Rupiah(3 * record.amount)))
    if fault is Fault.EVIDENCE_FORGED:
        return encode_record(_forged(record))
    return encode_record(record)


def _forged(record: TapRecord) -> TapRecord:
    """A sale of three times the price, in bytes that fit together and that no chip has signed (CARD.md: identity, journey, value, debit, log)."""
    tmi = bytearray(record.tmi)
    before, paid = int.from_bytes(tmi[_BEFORE:][:4], "little"), -record.amount
    more = min(3 * paid, before)
    for at, value in ((_DEBITED, more), (_LOGGED, more), (_LEFT, before - more)):
        tmi[at : at + 4] = value.to_bytes(4, "little")
    return replace(record, tmi=bytes(tmi), amount=Rupiah(-more))
