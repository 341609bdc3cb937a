"""Command chaining: long data comes and goes in frames, held together by status AF."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card.apdu import Ins, Status
from card.virtual.refusal import Refusal
from card.virtual.rights import BOTH, WRITES, mode_for

if TYPE_CHECKING:
    from card.virtual.chip import VirtualCard

FRAME_MAX = 59
"""Bytes of an answer in one frame (native framing over ISO/IEC 14443-4, FSD 64)."""
_AIDS_MAX = 57
_FRAMES = {Ins.GET_VERSION: [7, 7], Ins.GET_APPLICATION_IDS: [_AIDS_MAX]}
_HEADERS = {
    Ins.WRITE_DATA: 7, Ins.WRITE_DATA_CHAINED: 7, Ins.WRITE_RECORD: 7, Ins.WRITE_RECORD_CHAINED: 7,
    Ins.UPDATE_RECORD: 10, Ins.UPDATE_RECORD_CHAINED: 10,
}  # fmt: skip
_LENGTH_BYTES = 3


def lacking(card: VirtualCard, ins: int, payload: bytes) -> bool:
    """Whether more frames of this command are to come: its data is shorter than its header says."""
    header = _HEADERS.get(Ins(ins)) if ins in _HEADERS else None
    if header is None or len(payload) < header:
        return False
    file = card.application.file(payload[0])
    length = int.from_bytes(payload[header - _LENGTH_BYTES : header], "little")
    updates = ins in {Ins.UPDATE_RECORD, Ins.UPDATE_RECORD_CHAINED}
    mode = mode_for(card, file.settings, *(BOTH if updates else WRITES))
    if length > max(file.settings.size, file.settings.record_size):
        raise Refusal(Status.BOUNDARY_ERROR)
    travels = length if card.session is None else card.session.channel.travels(length, ins, mode)
    return len(payload) < header + travels


def framed(ins: int, answer: bytes, sizes: list[int]) -> list[bytes]:
    """An answer in frames: those that the command itself gives, then as much as a frame holds."""
    cuts = sizes or list(_FRAMES.get(Ins(ins), []))
    frames = []
    while len(answer) > (size := cuts.pop(0) if cuts else FRAME_MAX):
        frames.append(answer[:size])
        answer = answer[size:]
    return [*frames, answer]
