"""The virtual chip keeps the chip's rules: rights, modes, limits, commit and rollback, and an end of session at every error."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card import client, files, management
from card.apdu import GET_UID, SW1, Ins, Status, wrap
from card.channel import CommMode
from card.commands import (
    CREATE,
    FREE,
    FileSettings,
    FileType,
    NewRights,
    Rights,
    parse_create,
    parse_rights,
)
from card.errors import SessionBroken
from card.layout import AID, File
from card.virtual import VirtualCard
from keys.softkey import FACTORY_KEY
from keys.vault import Role
from tests.card.chips import BACKUP, LOG, TEST_AID, VALUE, blank, raises_status

if TYPE_CHECKING:
    from keys.filevault import FileVault


def test_without_authentication_nothing_but_what_is_free_can_be_read(card: VirtualCard) -> None:
    client.select(card, AID)
    assert len(client.read_free(card, File.TMAC)) == 12
    with raises_status(Status.AUTHENTICATION_ERROR):
        client.read_free(card, File.IDENTITY)


def test_a_wrong_key_is_refused_and_ends_the_session(card: VirtualCard) -> None:
    client.select(card, AID)
    with raises_status(Status.AUTHENTICATION_ERROR):
        client.authenticate(card, Role.DEBIT.key_no, FACTORY_KEY)
    assert card.session is None


def test_an_error_ends_the_session_and_forgets_what_was_pending() -> None:
    chip, session = blank((3, VALUE))
    session.credit(3, 100)
    with raises_status(Status.BOUNDARY_ERROR):
        session.credit(3, 901)
    with raises_status(Status.AUTHENTICATION_ERROR):
        session.value(3)
    assert not chip.applications[TEST_AID].files[3].changed


def test_a_changed_command_is_refused_for_its_mac() -> None:
    chip, _ = blank((2, BACKUP))
    assert (
        chip.transmit(wrap(Ins.WRITE_DATA, b"\x02" + bytes(6) + b"data" + bytes(8)))[-1]
        == Status.INTEGRITY_ERROR
    )


def test_an_answer_that_somebody_changed_is_noticed() -> None:
    chip, session = blank((2, BACKUP))

    class Between:
        uid = chip.uid

        def transmit(self, apdu: bytes) -> bytes:
            answer = chip.transmit(apdu)
            return bytes([answer[0] ^ 1]) + answer[1:]

    session._transport = Between()
    with pytest.raises(SessionBroken):
        session.read(2, CommMode.MAC)


def test_a_backup_file_changes_at_commit_and_not_before() -> None:
    chip, session = blank((2, BACKUP))
    session.write(2, b"12345678", CommMode.MAC)
    assert session.read(2, CommMode.MAC) == bytes(8)
    session.commit_unsigned()
    assert session.read(2, CommMode.MAC) == b"12345678"
    session.write(2, b"99999999", CommMode.MAC)
    chip.leave_field()
    assert bytes(chip.applications[TEST_AID].files[2].data) == b"12345678"


def test_a_commit_of_nothing_is_refused() -> None:
    _, session = blank((2, BACKUP))
    with raises_status(Status.NO_CHANGES):
        session.commit_unsigned()


def test_the_card_of_the_city_commits_only_for_a_reader_that_names_itself(
    card: VirtualCard, vault: FileVault
) -> None:
    client.select(card, AID)
    session = client.authenticate(card, Role.DEBIT.key_no, vault.card_key(Role.DEBIT, 1, card.uid))
    session.write_record(File.LOG, bytes(32), CommMode.MAC)
    with raises_status(Status.PERMISSION_DENIED):
        session.commit()


def test_a_file_number_is_taken_once() -> None:
    _, session = blank((2, BACKUP))
    with raises_status(Status.DUPLICATE_ERROR):
        management.create_file(session, 2, BACKUP)


def test_a_saved_card_is_the_same_card(card: VirtualCard, vault: FileVault) -> None:
    again = VirtualCard.load(card.save())
    assert again.save() == card.save() == card.clone().save()
    assert again.transmit(GET_UID) == card.uid + b"\x90\x00"


def test_the_chip_states_its_uid_to_those_who_know_a_key() -> None:
    chip, session = blank()
    assert management.card_uid(session) == chip.uid
    assert management.key_version(session, 0) == 0


@given(st.lists(st.binary(max_size=70), max_size=12))
def test_garbage_always_gets_a_status_and_never_crashes(apdus: list[bytes]) -> None:
    chip, _ = blank((3, VALUE))
    for apdu in apdus:
        assert chip.transmit(apdu)


@given(st.lists(st.tuples(st.sampled_from(list(Ins)), st.binary(max_size=50)), max_size=12))
def test_any_command_with_any_data_gets_a_desfire_status(commands: list[tuple[Ins, bytes]]) -> None:
    chip, _ = blank((2, BACKUP), (3, VALUE), (4, LOG))
    for ins, data in commands:
        answer = chip.transmit(wrap(ins, data))
        assert answer[-2] == SW1
        assert answer[-1] in set(Status)


@pytest.mark.parametrize(
    "settings_", [files.IDENTITY, files.JOURNEY, files.LOG, files.TMAC, VALUE], ids=lambda one: one.kind.name
)
def test_file_settings_travel_whole(settings_: FileSettings) -> None:
    parsed = parse_create(CREATE[settings_.kind], settings_.create_payload(9))
    assert parsed is not None
    number, read = parsed
    assert (number, read.kind, read.mode, read.size, read.records) == (
        9, settings_.kind, settings_.mode, settings_.size, settings_.records,
    )  # fmt: skip
    assert parse_rights(settings_.rights_payload()) == NewRights(settings_.mode, settings_.rights)


def test_a_free_right_is_everybodys_and_a_right_of_never_nobodys() -> None:
    mixed = FileSettings(FileType.STANDARD, CommMode.PLAIN, (Rights(read=FREE),), size=1)
    assert mixed.allows(None, "read")
    assert not mixed.allows(None, "write")
    assert not mixed.allows(0, "write")
