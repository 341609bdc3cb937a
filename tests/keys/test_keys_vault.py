"""The file vault: what opens it, what it gives, what it never gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keys.ceremony import Component, hold, signed
from keys.clock import UnixMs
from keys.diversify import card_input, diversify_aes128
from keys.envelope import parse
from keys.errors import CeremonyError, KeyMissing, KeyMisused, VaultError, VaultLocked
from keys.filevault import FileVault, check_value
from keys.softkey import SoftKey
from keys.vault import Role

if TYPE_CHECKING:
    from pathlib import Path

COST = 16
UID = bytes.fromhex("04a1b2c3d4e5f6")
MASTER = bytes.fromhex("00112233445566778899aabbccddeeff")


@pytest.fixture
def vault(tmp_path: Path) -> FileVault:
    made = FileVault.create(tmp_path / "city.vault", "correct-horse-battery", COST)
    made.add_master(Role.DEBIT, 1, MASTER)
    made.generate_signing_key("ledger")
    return made


def test_a_vault_opens_with_its_passphrase_and_gives_the_same_keys(vault: FileVault, tmp_path: Path) -> None:
    again = FileVault.open(tmp_path / "city.vault", "correct-horse-battery")
    ours = SoftKey(diversify_aes128(MASTER, card_input(UID, Role.DEBIT.key_no, 1)), 1)
    assert (
        again.card_key(Role.DEBIT, 1, UID).cmac(b"x")
        == vault.card_key(Role.DEBIT, 1, UID).cmac(b"x")
        == ours.cmac(b"x")
    )
    assert again.public_key("ledger") == vault.public_key("ledger")


def test_a_wrong_passphrase_opens_nothing(vault: FileVault, tmp_path: Path) -> None:
    with pytest.raises(VaultLocked, match="wrong passphrase"):
        FileVault.open(tmp_path / "city.vault", "incorrect-horse-battery")


def test_every_changed_byte_is_noticed(vault: FileVault, tmp_path: Path) -> None:
    path = tmp_path / "city.vault"
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :])
        with pytest.raises(VaultError):
            FileVault.open(path, "correct-horse-battery")


def test_a_missing_vault_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="ceremony first"):
        FileVault.open(tmp_path / "none.vault", "x")


def test_a_vault_is_never_written_over(vault: FileVault, tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="exists"):
        FileVault.create(tmp_path / "city.vault", "x", COST)


def test_law_11_no_key_stands_in_the_file_the_listing_or_a_repr(vault: FileVault, tmp_path: Path) -> None:
    told = repr(vault) + repr(vault.contents()) + repr(vault.card_key(Role.DEBIT, 1, UID))
    assert MASTER.hex() not in told
    assert not vault.shows_in((tmp_path / "city.vault").read_bytes())
    assert vault.shows_in(b"leaked: " + MASTER.hex().upper().encode())
    assert (tmp_path / "city.vault").stat().st_mode & 0o077 == 0


def test_law_11_the_transaction_mac_key_never_goes_to_a_terminal(vault: FileVault, tmp_path: Path) -> None:
    vault.add_master(Role.TRANSACTION_MAC, 1, bytes(16))
    with pytest.raises(KeyMisused, match="stays in the ledger"):
        vault.subset(tmp_path / "terminal.vault", "x", [Role.DEBIT, Role.TRANSACTION_MAC], COST)


def test_a_terminals_vault_holds_the_keys_of_its_roles_and_no_other(vault: FileVault, tmp_path: Path) -> None:
    vault.add_master(Role.LOAD, 1, bytes(16))
    device = vault.subset(tmp_path / "terminal.vault", "device", [Role.DEBIT], COST)
    assert device.card_key(Role.DEBIT, 1, UID).cmac(b"x") == vault.card_key(Role.DEBIT, 1, UID).cmac(b"x")
    assert device.versions(Role.LOAD) == []
    with pytest.raises(KeyMissing):
        device.card_key(Role.LOAD, 1, UID)
    with pytest.raises(KeyMissing):
        device.sign("ledger", b"x")


def test_a_key_version_is_never_written_over(vault: FileVault) -> None:
    with pytest.raises(KeyMisused, match="next version"):
        vault.add_master(Role.DEBIT, 1, bytes(16))
    vault.add_master(Role.DEBIT, 2, bytes(16))
    assert (vault.current(Role.DEBIT), vault.versions(Role.DEBIT)) == (2, [2, 1])


def test_a_ceremony_makes_a_key_that_no_component_is(vault: FileVault) -> None:
    components = [Component.drawn(name) for name in "ABC"]
    record = hold(vault, Role.LOAD, 1, components, witnesses=("first", "second"), at=UnixMs(0))
    shown = next(info.check_value.hex() for info in vault.contents() if info.role is Role.LOAD)
    assert record.check_value == shown
    assert shown not in {component.check_value.hex() for component in components}
    assert parse(signed([record], vault, "ledger")).verify(vault.public_key("ledger"))


def test_a_wrong_component_is_found_before_anything_is_stored(vault: FileVault) -> None:
    with pytest.raises(CeremonyError, match="enter it again"):
        Component("A", bytes(16), check_value(bytes(15) + b"\x01"))
    assert "LOAD" not in repr(vault.contents())


def test_two_components_that_are_the_same_would_leave_the_key_to_one_person(vault: FileVault) -> None:
    same = bytes(range(16))
    told = [
        Component("A", same, check_value(same)),
        Component("B", same, check_value(same)),
        Component.drawn("C"),
    ]
    with pytest.raises(CeremonyError, match="cancel out"):
        hold(vault, Role.LOAD, 1, told, witnesses=("x", "y"), at=UnixMs(0))
    assert vault.versions(Role.LOAD) == []


def test_one_custodian_cannot_give_all_components_nor_be_alone(vault: FileVault) -> None:
    with pytest.raises(CeremonyError, match="custodians"):
        hold(vault, Role.LOAD, 1, [Component.drawn("A")] * 3, witnesses=("a", "b"), at=UnixMs(0))
    components = [Component.drawn(name) for name in "ABC"]
    with pytest.raises(CeremonyError, match="present"):
        hold(vault, Role.LOAD, 1, components, witnesses=("a", " A "), at=UnixMs(0))
    with pytest.raises(CeremonyError, match="of 3 custodians"):
        hold(
            vault,
            Role.LOAD,
            1,
            [Component.drawn(name) for name in ("A", "a ", "B")],
            witnesses=("x", "y"),
            at=UnixMs(0),
        )
    assert vault.versions(Role.LOAD) == []
