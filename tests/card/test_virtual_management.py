"""Applications, keys, key sets and configuration on the virtual chip, as the issuer uses them."""

from __future__ import annotations

import pytest

from card import client, management, older
from card.apdu import Ins, Status
from card.applications import DELIVERED, SETTLED, ApplicationSettings, KeySets, KeySettings, parse_application
from card.channel import CommMode
from card.commands import FileSettings, FileType
from card.errors import SessionBroken
from card.ev1 import KeyType
from card.originality import SIGNATURE_BYTES, genuine
from card.personalise import PICC_LEVEL, open_delivered
from card.virtual import Generation, VirtualCard
from keys.softkey import FACTORY_KEY, SoftKey
from tests.card.chips import BACKUP, LOG, OPEN, TEST_AID, VALUE, blank, delivered, entered, raises_status

NEW = SoftKey(bytes(range(16)), 7)
NEWER = SoftKey(bytes(range(1, 17)), 8)
SETS = ApplicationSettings(TEST_AID, 2, key_sets=KeySets(version=1, count=2, roll_key=0))


@pytest.mark.parametrize("generation", list(Generation))
def test_a_chip_says_which_generation_it_is(generation: Generation) -> None:
    chip = delivered(generation=generation)
    found = management.version(client.free(chip))
    assert (found.name, found.storage_bytes) == (f"MIFARE DESFire {generation.name}, 4 kB", 4_096)
    assert (found.uid, found.fits_the_city) == (chip.uid, generation is not Generation.EV1)


def test_a_delivered_chip_has_a_des_key_and_becomes_one_with_aes() -> None:
    chip = delivered()
    client.select(chip, PICC_LEVEL)
    assert management.key_settings(client.free(chip)) == (DELIVERED, KeyType.DES, 1)
    with raises_status(Status.AUTHENTICATION_ERROR):
        client.authenticate(chip, 0, FACTORY_KEY)
    session = open_delivered(chip)
    assert management.key_settings(session)[1] is KeyType.AES
    assert management.card_uid(session) == chip.uid


def test_an_older_chip_knows_nothing_of_ev2() -> None:
    chip = delivered(generation=Generation.EV1)
    older.give_aes_key(older.authenticate_delivered(chip))
    with raises_status(Status.ILLEGAL_COMMAND):
        client.authenticate(chip, 0, FACTORY_KEY)
    session = older.authenticate_aes(chip, 0, FACTORY_KEY)
    assert management.card_uid(session) == chip.uid


def test_an_application_is_made_listed_and_deleted() -> None:
    chip = delivered()
    session = open_delivered(chip)
    before = management.free_memory(session)
    management.create_application(
        session, ApplicationSettings(TEST_AID, 3, iso_id=0xE110, df_name=b"test.app")
    )
    with raises_status(Status.DUPLICATE_ERROR):
        management.create_application(session, ApplicationSettings(TEST_AID, 1))
    session = open_delivered(chip)
    assert management.application_ids(session) == [TEST_AID]
    assert management.free_memory(session) < before
    assert session.send(Ins.GET_DF_NAMES, b"") == TEST_AID[::-1] + b"\x10\xe1test.app"
    management.delete_application(session, TEST_AID)
    assert (management.application_ids(session), management.free_memory(session)) == ([], before)
    with raises_status(Status.APPLICATION_NOT_FOUND):
        management.delete_application(session, TEST_AID)


def test_many_applications_are_listed_in_frames_until_the_chip_has_enough() -> None:
    chip = delivered()
    session = open_delivered(chip)
    aids = [bytes((1, 2, number)) for number in range(28)]
    for aid in aids:
        management.create_application(session, ApplicationSettings(aid, 1))
    assert management.application_ids(session) == aids
    with raises_status(Status.COUNT_ERROR):
        management.create_application(session, ApplicationSettings(b"XYZ", 1))


def test_a_settled_chip_lets_nobody_create_without_its_key_but_everybody_list() -> None:
    chip = delivered()
    management.create_application(client.free(chip), ApplicationSettings(b"ANY", 1))
    management.change_key_settings(open_delivered(chip), SETTLED)
    client.select(chip, PICC_LEVEL)
    anybody = client.free(chip)
    assert management.application_ids(anybody) == [b"ANY"]
    with raises_status(Status.AUTHENTICATION_ERROR):
        management.create_application(anybody, ApplicationSettings(TEST_AID, 1))
    with raises_status(Status.AUTHENTICATION_ERROR):
        management.delete_application(anybody, b"ANY")


def test_an_application_lists_its_files_only_to_its_master_where_it_says_so() -> None:
    chip = delivered()
    closed = KeySettings(free_list=False)
    management.create_application(open_delivered(chip), ApplicationSettings(TEST_AID, 2, closed))
    management.create_file(entered(chip), 1, BACKUP)
    for act in (management.file_ids, management.key_settings, lambda one: management.file_settings(one, 1)):
        client.select(chip, TEST_AID)
        with raises_status(Status.AUTHENTICATION_ERROR):
            act(client.free(chip))
    assert management.file_ids(entered(chip)) == [1]
    with raises_status(Status.PERMISSION_DENIED):
        management.file_ids(entered(chip, key_no=1))


def test_frozen_settings_stay() -> None:
    _, session = blank()
    management.change_key_settings(session, KeySettings(changeable=False))
    with raises_status(Status.PERMISSION_DENIED):
        management.change_key_settings(session, SETTLED)


def test_a_formatted_chip_is_empty_unless_formatting_was_switched_off() -> None:
    chip, _ = blank((1, BACKUP))
    session = open_delivered(chip)
    management.format_picc(session)
    assert management.application_ids(session) == []
    management.configure(session, 0x00, b"\x01")
    with raises_status(Status.PERMISSION_DENIED):
        management.format_picc(session)


def test_a_random_identifier_hides_the_uid_from_who_has_no_key() -> None:
    chip = delivered()
    management.configure(open_delivered(chip), 0x00, b"\x02")
    seen = set()
    for _ in range(3):
        chip.leave_field()
        answer = chip.transmit(bytes.fromhex("ffca000000"))
        assert answer == chip.transmit(bytes.fromhex("ffca000000"))
        seen.add(answer)
        assert (answer[0], len(answer)) == (0x08, 6)
    assert len(seen) == 3
    assert management.version(client.free(chip)).uid == bytes(7)
    assert management.card_uid(open_delivered(chip)) == chip.uid


def test_new_applications_get_the_default_key() -> None:
    chip = delivered()
    session = open_delivered(chip)
    management.configure(session, 0x01, bytes(range(16)) + bytes(8) + b"\x07")
    management.create_application(session, ApplicationSettings(TEST_AID, 2))
    client.select(chip, TEST_AID)
    session = client.authenticate(chip, 1, NEW)
    assert management.key_version(session, 0) == 7


def test_a_virtual_chip_does_not_pass_for_the_chip_makers() -> None:
    chip, session = blank()
    found = management.signature(session)
    assert len(found) == SIGNATURE_BYTES
    assert not genuine(chip.uid, found)


def test_keys_are_changed_under_the_key_that_the_settings_name() -> None:
    chip, session = blank(keys=3)
    management.change_key(session, 1, NEW, FACTORY_KEY)
    assert [management.key_version(session, number) for number in range(3)] == [0, 7, 0]
    management.change_key_settings(session, KeySettings(change=2))
    with raises_status(Status.PERMISSION_DENIED):
        management.change_key(session, 1, NEWER, NEW)
    management.change_key(entered(chip, key_no=2), 1, NEWER, NEW)
    management.change_key_settings(entered(chip), KeySettings(change=0xE))
    client.select(chip, TEST_AID)
    management.change_own_key(client.authenticate(chip, 1, NEWER), 1, NEW)
    management.change_key_settings(entered(chip), KeySettings(change=0xF))
    client.select(chip, TEST_AID)
    with raises_status(Status.PERMISSION_DENIED):
        management.change_own_key(client.authenticate(chip, 1, NEW), 1, NEWER)


def test_a_key_that_is_changed_over_a_wrong_old_one_is_refused() -> None:
    _, session = blank(keys=2)
    with raises_status(Status.INTEGRITY_ERROR):
        management.change_key(session, 1, NEW, NEWER)


def test_changing_the_key_in_use_ends_the_session() -> None:
    chip, session = blank()
    management.change_own_key(session, 0, NEW)
    assert chip.session is None
    client.select(chip, TEST_AID)
    assert management.key_version(client.authenticate(chip, 0, NEW), 0) == 7


def test_a_key_set_becomes_the_active_one_when_it_is_whole_and_newer() -> None:
    chip = delivered()
    management.create_application(open_delivered(chip), SETS)
    session = entered(chip)
    with raises_status(Status.PERMISSION_DENIED):
        management.roll_key_set(session, 1)
    session = entered(chip)
    management.initialize_key_set(session, 1)
    management.change_key_of_set(session, 1, 0, NEW, FACTORY_KEY)
    management.change_key_of_set(session, 1, 1, NEWER, FACTORY_KEY)
    assert management.key_version(session, 1, key_set=1) == 8
    with raises_status(Status.PERMISSION_DENIED):
        management.roll_key_set(session, 1)
    management.finalize_key_set(entered(chip), 1, 2)
    management.roll_key_set(entered(chip), 1)
    assert chip.session is None
    client.select(chip, TEST_AID)
    session = client.authenticate(chip, 0, NEW)
    assert [management.key_version(session, number) for number in (0, 1)] == [7, 8]
    with raises_status(Status.PERMISSION_DENIED):
        management.roll_key_set(session, 1)


def test_key_sets_survive_saving() -> None:
    chip = delivered()
    management.create_application(open_delivered(chip), SETS)
    session = entered(chip)
    management.initialize_key_set(session, 1)
    management.finalize_key_set(session, 1, 2)
    again = VirtualCard.load(chip.save())
    assert again.save() == chip.save()
    management.roll_key_set(entered(again), 1)
    assert again.session is None


def test_a_file_that_saves_no_card_is_no_card() -> None:
    for data in (b"", b"\x80", b"\xff\xff", b"\xa0"):
        with pytest.raises(ValueError, match="no saved card"):
            VirtualCard.load(data)


def test_files_are_made_while_there_is_room_and_deleted_at_once() -> None:
    chip, session = blank((1, BACKUP), (2, VALUE), (3, LOG))
    assert management.file_ids(session) == [1, 2, 3]
    management.delete_file(session, 2)
    assert management.file_ids(session) == [1, 3]
    with raises_status(Status.FILE_NOT_FOUND):
        management.delete_file(session, 2)
    with raises_status(Status.OUT_OF_MEMORY):
        management.create_file(
            entered(chip), 4, FileSettings(FileType.STANDARD, CommMode.MAC, (OPEN,), size=5_000)
        )


@pytest.mark.parametrize(
    "settings",
    [
        FileSettings(FileType.VALUE, CommMode.FULL, (OPEN,), lower=10, upper=5),
        FileSettings(FileType.CYCLIC, CommMode.FULL, (OPEN,), record_size=4, records=1),
        FileSettings(FileType.STANDARD, CommMode.FULL, (OPEN,)),
    ],
    ids=lambda one: one.kind.name,
)
def test_a_file_whose_numbers_make_no_sense_is_not_made(settings: FileSettings) -> None:
    _, session = blank()
    with raises_status(Status.PARAMETER_ERROR):
        management.create_file(session, 1, settings)


def test_non_first_goes_on_with_the_transaction_under_another_key() -> None:
    chip, session = blank((1, BACKUP), keys=2)
    session.write(1, b"12345678", CommMode.MAC)
    session.authenticate_again(1, FACTORY_KEY)
    session.authenticate_again(0, FACTORY_KEY)
    session.commit_unsigned()
    assert session.read(1, CommMode.MAC) == b"12345678"
    client.select(chip, TEST_AID)
    with pytest.raises(SessionBroken):
        client.free(chip).authenticate_again(0, FACTORY_KEY)
    with raises_status(Status.PERMISSION_DENIED):
        client.exchange(chip, Ins.AUTHENTICATE_EV2_NON_FIRST, b"\x00")


@pytest.mark.parametrize("kind", list(KeyType))
@pytest.mark.parametrize("sets", [None, KeySets(3, 2, 1)])
@pytest.mark.parametrize("named", [True, False])
def test_applications_travel_whole(kind: KeyType, sets: KeySets | None, named: bool) -> None:
    made = ApplicationSettings(
        b"ABC", 5, SETTLED, kind, 0xE110 if named else 0, b"name" if named else b"", sets
    )
    assert parse_application(made.encode()) == made
    assert parse_application(made.encode()[:4]) is None
