"""Data and value files on the chip: reading, writing, and moving value."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from card import tmac
from card.apdu import Ins, Status
from card.channel import CommMode
from card.commands import FREE, FileType
from card.sdm import COUNTER_MAX, Keys
from card.virtual.files import cut
from card.virtual.refusal import Refusal
from card.virtual.rights import (
    BOTH,
    READS,
    VALUE_USES,
    WRITES,
    asking,
    mode_for,
    number,
    place,
    sign,
    written,
)
from card.virtual.session import answered, exact, opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.virtual.chip import VirtualCard
    from card.virtual.files import ChipFile

_NOISE_BYTES = 5
_VALUE_BYTES = 4


def read_data(ins: Ins, card: VirtualCard, payload: bytes) -> bytes:
    """ReadData: file, offset, length (0: all)."""
    mac = card.application.tmac
    if mac is not None and number(payload) == card.application.tmac_no:
        mode = mode_for(card, mac.settings, "read")
        header, _ = opened(card.session, ins, payload, asking(mode), 7)
        return answered(card.session, cut(mac.content, *place(header)[1:]), mode)
    file = card.application.file(number(payload))
    mode = mode_for(card, file.settings, *READS)
    header, body = opened(card.session, ins, payload, asking(mode), 7)
    exact(body, 0)
    file_no, offset, length = place(header)
    data = (
        cut(mirrored(card, file_no, file), offset, length)
        if _mirrors(card, file)
        else file.read(offset, length)
    )
    sign(card, tmac.data_entry(ins, file_no, offset, data))
    return answered(card.session, data, mode)


def _mirrors(card: VirtualCard, file: ChipFile) -> bool:
    """A file mirrors for whoever reads it freely: a phone; a session reads what was written."""
    return file.settings.sdm is not None and card.session is None


def mirrored(card: VirtualCard, file_no: int, file: ChipFile) -> bytes:
    """A mirroring file's content in this tap: the first reading counts, the others see the same."""
    kept = card.mirrored.get(file_no)
    sdm = file.settings.sdm
    if kept is not None or sdm is None:
        return bytes(file.data) if kept is None else kept
    limit = COUNTER_MAX if sdm.limit < 0 else sdm.limit
    if file.counter >= limit:
        raise Refusal(Status.PERMISSION_DENIED)
    file.counter += 1
    slots = [
        card.application.key(one).key() if one < FREE else None for one in (sdm.meta_read, sdm.file_read)
    ]
    content = sdm.mirrored(bytes(file.data), card.uid, file.counter, Keys(*slots), card.rng(_NOISE_BYTES))
    card.mirrored[file_no] = content
    return content


def write_data(ins: Ins, card: VirtualCard, payload: bytes) -> bytes:
    """WriteData: file, offset, length, data."""
    file, offset, data, mode = written(ins, card, payload)
    file.write(offset, data)
    sign(card, tmac.data_entry(ins, payload[0], offset, data))
    return answered(card.session, b"", mode)


def get_value(card: VirtualCard, payload: bytes) -> bytes:
    """GetValue: the committed value, 4 bytes."""
    file = card.application.file(number(payload))
    file.require(FileType.VALUE)
    mode = CommMode.PLAIN
    if not (file.settings.free_value and card.session is None):
        mode = mode_for(card, file.settings, *VALUE_USES)
    header, body = opened(card.session, Ins.GET_VALUE, payload, asking(mode), 1)
    exact(body, 0)
    sign(card, tmac.value_entry(Ins.GET_VALUE, header[0], file.value))
    return answered(card.session, file.value.to_bytes(_VALUE_BYTES, "little", signed=True), mode)


def move_value(ins: Ins, rights: tuple[str, ...], card: VirtualCard, payload: bytes) -> bytes:
    """Credit, Debit, LimitedCredit: file, value."""
    file = card.application.file(number(payload))
    file.require(FileType.VALUE)
    mode = mode_for(card, file.settings, *rights)
    header, body = opened(card.session, ins, payload, mode, 1)
    amount = int.from_bytes(exact(body, _VALUE_BYTES), "little", signed=True)
    act = {Ins.CREDIT: file.credit, Ins.DEBIT: file.debit, Ins.LIMITED_CREDIT: file.limited_credit}[ins]
    act(amount)
    sign(card, tmac.value_entry(ins, header[0], amount))
    return answered(card.session, b"", mode)


COMMANDS: dict[int, Callable[[VirtualCard, bytes], bytes]] = {
    Ins.READ_DATA: partial(read_data, Ins.READ_DATA),
    Ins.READ_DATA_CHAINED: partial(read_data, Ins.READ_DATA_CHAINED),
    Ins.WRITE_DATA: partial(write_data, Ins.WRITE_DATA),
    Ins.WRITE_DATA_CHAINED: partial(write_data, Ins.WRITE_DATA_CHAINED),
    Ins.GET_VALUE: get_value,
    Ins.CREDIT: partial(move_value, Ins.CREDIT, BOTH),
    Ins.DEBIT: partial(move_value, Ins.DEBIT, VALUE_USES),
    Ins.LIMITED_CREDIT: partial(move_value, Ins.LIMITED_CREDIT, WRITES),
}
