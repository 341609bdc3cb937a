"""The vault's file under attack: guessed, swapped, put back to an older copy, written by two at once, torn."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from typing import TYPE_CHECKING

import cbor2
import pytest

from keys.errors import (
    KeyBlockError,
    KeyMisused,
    KeyRetired,
    VaultError,
    VaultLocked,
    VaultRolledBack,
    VaultSwapped,
)
from keys.filevault import FileVault
from keys.sealedfile import COST, HUMAN_COST
from keys.softkey import check_value
from keys.vault import KeyName, Purpose, Role

if TYPE_CHECKING:
    from pathlib import Path

CHEAP = 16
UID = bytes.fromhex("04a1b2c3d4e5f6")
MASTER = bytes.fromhex("00112233445566778899aabbccddeeff")
TRANSPORT = KeyName("transport", 1)


def city(folder: Path, name: str = "Semarang", passphrase: str = "x") -> FileVault:
    made = FileVault.create(folder / f"{name}.vault", passphrase, CHEAP, name)
    made.add_master(Role.DEBIT, 1, MASTER)
    return made


# Guessing


@pytest.mark.parametrize(("cost", "mebibytes"), [(COST, 32), (HUMAN_COST, 128)])
def test_a_guess_at_a_lost_passphrase_costs_time_and_memory(
    tmp_path: Path, cost: int, mebibytes: int
) -> None:
    FileVault.create(tmp_path / "v", "correct-horse-battery", cost)
    started = time.process_time()
    with pytest.raises(VaultLocked, match="wrong passphrase"):
        FileVault.open(tmp_path / "v", "incorrect-horse-battery")
    spent = time.process_time() - started
    print(f"one guess at N=2^{cost.bit_length() - 1}: {spent * 1_000:.0f} ms and {mebibytes} MiB")  # noqa: T201  the figure is the point
    assert 128 * 8 * cost == mebibytes * 2**20  # RFC 7914 section 2: 128 N r bytes
    assert spent > 0.02  # on any machine of today


def test_a_file_that_asks_for_endless_work_is_refused_at_once(tmp_path: Path) -> None:
    city(tmp_path)
    path = tmp_path / "Semarang.vault"
    header, nonce, sealed = cbor2.loads(path.read_bytes())
    for cost in (2**30, 0, 3, "x"):
        header[1] = cost
        path.write_bytes(cbor2.dumps([header, nonce, sealed]))
        with pytest.raises(VaultLocked, match="no vault that this software wrote"):
            FileVault.open(path, "x")


# Swapping


def test_swapped_files_are_found_before_a_key_is_used(tmp_path: Path) -> None:
    city(tmp_path, "Semarang")
    city(tmp_path, "Demak")
    first, second = tmp_path / "Semarang.vault", tmp_path / "Demak.vault"
    other = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(other)
    with pytest.raises(VaultSwapped, match="belongs to Demak, not to Semarang"):
        FileVault.open(first, "x", "Semarang")


def test_a_file_renamed_within_its_header_does_not_open(tmp_path: Path) -> None:
    city(tmp_path, "Demak")
    header, nonce, sealed = cbor2.loads((tmp_path / "Demak.vault").read_bytes())
    header[3] = "Semarang"
    (tmp_path / "Demak.vault").write_bytes(cbor2.dumps([header, nonce, sealed]))
    with pytest.raises(VaultLocked):
        FileVault.open(tmp_path / "Demak.vault", "x", "Semarang")


def test_another_vault_of_the_same_name_is_not_the_one_on_record(tmp_path: Path) -> None:
    record = city(tmp_path).record()
    (tmp_path / "elsewhere").mkdir()
    impostor = city(tmp_path / "elsewhere")
    assert impostor.generation == record.generation
    with pytest.raises(VaultRolledBack, match="left that history"):
        impostor.check_against(record)


# Rolling back


def test_a_rolled_back_file_is_found_by_the_record(tmp_path: Path) -> None:
    vault = city(tmp_path)
    path = tmp_path / "Semarang.vault"
    old = path.read_bytes()
    vault.add_master(Role.DEBIT, 2, bytes(16))
    vault.retire(Role.DEBIT, 1)
    record = vault.record()
    path.write_bytes(old)
    rolled = FileVault.open(path, "x", "Semarang")
    assert rolled.versions(Role.DEBIT) == [1]  # what the thief wants: the key that was retired
    with pytest.raises(VaultRolledBack, match="generation 2, and 4 is on record"):
        rolled.check_against(record)


def test_a_rolled_back_file_that_went_on_is_found_too(tmp_path: Path) -> None:
    vault = city(tmp_path)
    path = tmp_path / "Semarang.vault"
    old = path.read_bytes()
    vault.add_master(Role.DEBIT, 2, bytes(16))
    record = vault.record()
    path.write_bytes(old)
    rolled = FileVault.open(path, "x")
    for version in range(3, 9):
        rolled.add_master(Role.DEBIT, version, bytes(16))
    assert rolled.generation > record.generation
    with pytest.raises(VaultRolledBack, match="left that history before generation 3"):
        rolled.check_against(record)


def test_a_file_replaced_under_an_open_vault_is_not_written_over(tmp_path: Path) -> None:
    vault = city(tmp_path)
    path = tmp_path / "Semarang.vault"
    old = path.read_bytes()
    vault.add_master(Role.DEBIT, 2, bytes(16))
    path.write_bytes(old)
    with pytest.raises(VaultRolledBack, match="replaced while it was open"):
        vault.add_master(Role.DEBIT, 3, bytes(16))
    assert path.read_bytes() == old


# Two writers, and crashes


def add(path: Path, label: str, first: int) -> None:
    vault = FileVault.open(path, "x")
    for version in range(first, first + 5):
        vault.add_key(KeyName(label, version), Purpose.MAC, bytes([version]) * 16)


def test_two_processes_write_one_vault_and_lose_nothing(tmp_path: Path) -> None:
    city(tmp_path)
    path = tmp_path / "Semarang.vault"
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=add, args=(path, label, 1)) for label in ("left", "right")]
    for one in writers:
        one.start()
    for one in writers:
        one.join()
    vault = FileVault.open(path, "x")
    assert {one.version for one in vault.contents() if one.label == "left"} == {1, 2, 3, 4, 5}
    assert {one.version for one in vault.contents() if one.label == "right"} == {1, 2, 3, 4, 5}
    assert vault.generation == 12


def test_two_open_vaults_see_each_others_keys_once_they_write(tmp_path: Path) -> None:
    one = city(tmp_path)
    two = FileVault.open(tmp_path / "Semarang.vault", "x")
    one.add_master(Role.LOAD, 1, bytes(16))
    with pytest.raises(KeyMisused, match="next version"):
        two.add_master(Role.LOAD, 1, bytes([1]) * 16)
    assert two.versions(Role.LOAD) == [1]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_crash_while_writing_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    vault = city(tmp_path)
    before = (tmp_path / "Semarang.vault").read_bytes()

    def crash(*_: object) -> None:
        raise OSError("the power went")

    with monkeypatch.context() as patched:
        patched.setattr(os if step == "fsync" else type(tmp_path), step, crash)
        with pytest.raises(OSError, match="power"):
            vault.add_master(Role.DEBIT, 2, bytes(16))
    assert (tmp_path / "Semarang.vault").read_bytes() == before
    vault.add_master(Role.DEBIT, 2, bytes(16))
    assert FileVault.open(tmp_path / "Semarang.vault", "x").versions(Role.DEBIT) == [2, 1]


@pytest.mark.parametrize("content", [{}, [], {"inventory": {}, "values": []}, 7])
def test_a_sound_file_that_holds_no_vault_is_refused(tmp_path: Path, content: object) -> None:
    city(tmp_path)._file.write(content)
    with pytest.raises(VaultError, match="holds no vault"):
        FileVault.open(tmp_path / "Semarang.vault", "x")


# Wrapped keys leave a file only under a transport key


def test_a_key_leaves_a_file_wrapped_and_arrives_whole(tmp_path: Path) -> None:
    sender, receiver = city(tmp_path), FileVault.create(tmp_path / "other", "y", CHEAP)
    for vault in (sender, receiver):
        vault.add_key(TRANSPORT, Purpose.TRANSPORT, bytes(32))
    wrapped = sender.wrap(KeyName("debit", 1), TRANSPORT)
    assert MASTER not in wrapped
    assert receiver.unwrap(KeyName("debit", 1), Purpose.CARD, wrapped, TRANSPORT).check_value == check_value(
        MASTER
    )


def test_signing_and_transport_keys_leave_no_file(tmp_path: Path) -> None:
    vault = city(tmp_path)
    vault.add_key(TRANSPORT, Purpose.TRANSPORT, bytes(32))
    vault.generate_signing_key("ledger")
    for name in (TRANSPORT, KeyName("ledger", 0)):
        with pytest.raises(KeyMisused, match="leaves its vault under no other key"):
            vault.wrap(name, TRANSPORT)
    vault.add_key(KeyName("seal", 1), Purpose.MAC, MASTER)
    with pytest.raises(KeyMisused, match="is a mac key"):
        vault.export_block(KeyName("seal", 1), TRANSPORT)


def test_a_key_block_carries_a_master_its_role_and_version(tmp_path: Path) -> None:
    sender, receiver = city(tmp_path), FileVault.create(tmp_path / "other", "y", CHEAP)
    for vault in (sender, receiver):
        vault.add_key(TRANSPORT, Purpose.TRANSPORT, bytes(32))
    block = sender.export_block(KeyName("debit", 1), TRANSPORT)
    told = receiver.import_block(block, TRANSPORT)
    assert (told.role, told.version, told.check_value) == (Role.DEBIT, 1, check_value(MASTER))
    with pytest.raises(KeyMisused, match="next version"):
        receiver.import_block(block, TRANSPORT)
    with pytest.raises(KeyBlockError):
        receiver.import_block(block.replace("X", "E", 1), TRANSPORT)


# Two who hold one file


def followed(path: Path) -> tuple[FileVault, FileVault]:
    """The key room's vault, and the same file open at a server."""
    room = FileVault.create(path, "x", CHEAP)
    for version in (1, 2):
        room.add_master(Role.LOAD, version, bytes((version,)) * 16)
    return room, FileVault.open(path, "x")


def test_what_another_process_rolls_and_retires_holds_at_the_next_use(tmp_path: Path) -> None:
    room, server = followed(tmp_path / "city.vault")
    old = server.card_key(Role.LOAD, 1, UID)
    assert (server.current(Role.LOAD), server.versions(Role.LOAD)) == (2, [2, 1])
    room.generate_key(KeyName("load", 3), Purpose.CARD)
    assert (server.current(Role.LOAD), server.versions(Role.LOAD)) == (3, [3, 2, 1])
    assert server.card_key(Role.LOAD, 3, UID).cmac(b"m") == room.card_key(Role.LOAD, 3, UID).cmac(b"m")
    assert server.card_key(Role.LOAD, 1, UID).cmac(b"m") == old.cmac(b"m")
    room.retire(Role.LOAD, 1)
    with pytest.raises(KeyRetired):
        server.card_key(Role.LOAD, 1, UID)  # though it was ready
    assert (server.record(), len(server.contents())) == (room.record(), 3)


def test_an_older_copy_or_another_history_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "city.vault"
    room, server = followed(path)
    older = path.read_bytes()
    room.retire(Role.LOAD, 1)
    assert server.versions(Role.LOAD) == [2]
    path.write_bytes(older)
    assert server.versions(Role.LOAD) == [2]
    branch = FileVault.open(path, "x")
    for version in (7, 8):
        branch.add_master(Role.LOAD, version, bytes(16))
    assert branch.generation > server.generation
    assert server.versions(Role.LOAD) == [2]
    with pytest.raises(VaultRolledBack):
        server.retire(Role.LOAD, 2)


def test_a_file_that_is_gone_or_spoilt_stops_nobody_who_has_it_open(tmp_path: Path) -> None:
    path = tmp_path / "city.vault"
    _, server = followed(path)
    whole = path.read_bytes()
    path.unlink()
    assert server.versions(Role.LOAD) == [2, 1]
    path.write_bytes(whole[:-1] + bytes((whole[-1] ^ 1,)))
    assert server.card_key(Role.LOAD, 2, UID).version == 2
    path.unlink()
    path.write_bytes(whole)
    FileVault.open(path, "x").retire(Role.LOAD, 1)
    assert server.versions(Role.LOAD) == [2]


def test_a_change_and_many_who_use_the_vault_meanwhile_lose_nothing_of_each_other(tmp_path: Path) -> None:
    """One object changes, and is followed by its own readers, while another writer changes the same file."""
    path = tmp_path / "city.vault"
    room, server = followed(path)
    done, faults = threading.Event(), []

    def reads() -> None:
        while not done.is_set():
            try:
                server.card_key(Role.LOAD, server.current(Role.LOAD), UID).cmac(b"m")
            except Exception as error:  # noqa: BLE001  whatever it is, it must not be
                faults.append(error)

    readers = [threading.Thread(target=reads) for _ in range(3)]
    for one in readers:
        one.start()
    for at in range(20):
        (room, server)[at % 2].generate_key(KeyName("load", 3 + at), Purpose.CARD)
    done.set()
    for one in readers:
        one.join()
    assert faults == []
    assert (
        server.versions(Role.LOAD) == FileVault.open(path, "x").versions(Role.LOAD) == list(range(22, 0, -1))
    )
