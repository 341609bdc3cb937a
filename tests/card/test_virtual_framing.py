"""Frames: native and wrapped commands, long data in both directions, and what comes out of turn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from card import client, management
from card.apdu import FRAME_DATA_MAX, Ins, Status, wrap
from card.channel import CommMode
from card.commands import FREE, FileSettings, FileType, Rights
from card.native import Native
from card.virtual import VirtualCard
from tests.card.chips import OPEN, TEST_AID, blank, delivered, entered

LONG = FileSettings(FileType.BACKUP, CommMode.FULL, (OPEN,), size=600)
ANYBODYS = FileSettings(FileType.STANDARD, CommMode.PLAIN, (Rights(FREE, FREE, FREE, FREE),), size=600)


def test_the_version_comes_in_three_frames() -> None:
    chip = delivered()
    answers = [
        chip.transmit(wrap(Ins.GET_VERSION)),
        *(chip.transmit(wrap(Ins.ADDITIONAL_FRAME)) for _ in range(2)),
    ]
    assert [(len(one) - 2, one[-2:].hex()) for one in answers] == [(7, "91af"), (7, "91af"), (14, "9100")]
    assert answers[2].startswith(chip.uid)


def test_native_frames_say_what_wrapped_ones_say() -> None:
    chip = delivered()
    assert chip.transmit(b"\x60")[0] == Status.ADDITIONAL_FRAME
    chip.transmit(b"\xaf")
    assert chip.transmit(b"\xaf")[:8] == b"\x00" + chip.uid
    assert chip.transmit(b"\x6a") == b"\x00"
    assert chip.transmit(b"\x5aTST") == bytes((Status.APPLICATION_NOT_FOUND,))
    assert chip.transmit(b"\x99") == bytes((Status.ILLEGAL_COMMAND,))


@given(st.binary(min_size=1, max_size=600), st.booleans(), st.booleans())
def test_long_data_goes_there_and_back_in_frames(data: bytes, native: bool, free: bool) -> None:
    chip, session = blank((1, LONG), (2, ANYBODYS))
    card = Native(chip) if native else chip
    client.select(card, TEST_AID)
    session = client.free(card) if free else entered(card)
    number, mode = (2, CommMode.PLAIN) if free else (1, CommMode.FULL)
    session.write(number, data, mode)
    if not free:
        session.commit_unsigned()
    assert session.read(number, mode, 0, len(data)) == data
    assert management.file_ids(session) == [1, 2]


def test_a_command_that_is_not_all_there_waits_for_its_rest_and_for_nothing_else() -> None:
    chip, _ = blank((2, ANYBODYS))
    client.select(chip, TEST_AID)
    header = b"\x02" + bytes(3) + (100).to_bytes(3, "little")
    first = chip.transmit(wrap(Ins.WRITE_DATA_CHAINED, header + bytes(FRAME_DATA_MAX - 7)))
    assert first[-1] == Status.ADDITIONAL_FRAME
    assert chip.transmit(wrap(Ins.GET_FILE_IDS))[-1] == Status.COMMAND_ABORTED
    assert chip.transmit(wrap(Ins.ADDITIONAL_FRAME, bytes(53)))[-1] == Status.COMMAND_ABORTED
    assert client.read_free(chip, 2) == bytes(600)


def test_more_data_than_was_announced_is_refused() -> None:
    chip, _ = blank((2, ANYBODYS))
    client.select(chip, TEST_AID)
    header = b"\x02" + bytes(3) + (10).to_bytes(3, "little")
    assert chip.transmit(wrap(Ins.WRITE_DATA, header + bytes(11)))[-1] == Status.LENGTH_ERROR
    header = b"\x02" + bytes(3) + (601).to_bytes(3, "little")
    assert chip.transmit(wrap(Ins.WRITE_DATA, header + bytes(11)))[-1] == Status.BOUNDARY_ERROR


def test_a_frame_that_nobody_asked_for_is_out_of_turn() -> None:
    chip = delivered()
    assert chip.transmit(wrap(Ins.ADDITIONAL_FRAME))[-1] == Status.COMMAND_ABORTED
    chip.transmit(wrap(Ins.GET_VERSION))
    assert chip.transmit(wrap(Ins.SELECT_APPLICATION, bytes(3)))[-1] == Status.COMMAND_ABORTED
    assert chip.transmit(wrap(Ins.SELECT_APPLICATION, bytes(3)))[-1] == Status.OK


@given(st.lists(st.binary(min_size=1, max_size=80), max_size=20))
def test_whatever_comes_the_chip_goes_on_working(apdus: list[bytes]) -> None:
    chip, _ = blank((1, LONG), (2, ANYBODYS))
    for apdu in apdus:
        assert chip.transmit(apdu)
    chip.leave_field()
    assert management.file_ids(entered(chip)) == [1, 2]
    assert isinstance(chip, VirtualCard)
