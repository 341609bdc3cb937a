"""A terminal's key is sealed to its device, and its ticket and rights are read as they were written."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.clock import UnixMs
from keys.device import device_secret, drawn, secret_beside
from keys.errors import IdentityError
from keys.filevault import FileVault
from keys.identity import TerminalAuthority, TerminalIdentity, read_certificate
from keys.money import Rupiah
from keys.rights import LIMIT_MAX, RIGHTS_OID, ROLE_RIGHTS, Right, Rights, TerminalRole
from keys.ticket import Ticket, fingerprint

if TYPE_CHECKING:
    from pathlib import Path

NOW = UnixMs(1_795_000_000_000)


class Stopped:
    def now(self) -> UnixMs:
        return NOW


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> TerminalAuthority:
    vault = FileVault.create(tmp_path_factory.mktemp("city") / "city.vault", "x", 16)
    vault.generate_signing_key("authority")
    return TerminalAuthority(vault, "authority", Stopped())


def test_a_copied_folder_without_the_devices_secret_cannot_sign(tmp_path: Path) -> None:
    terminal = TerminalIdentity(tmp_path / "device")
    assert len(terminal.sign(b"message")) == 64
    shutil.copytree(tmp_path / "device", tmp_path / "thief" / "device")
    with pytest.raises(IdentityError, match="sealed on another device"):
        TerminalIdentity(tmp_path / "thief" / "device")
    shutil.copy(secret_beside(tmp_path / "device"), secret_beside(tmp_path / "thief" / "device"))
    assert TerminalIdentity(tmp_path / "thief" / "device").public_key == terminal.public_key


def test_the_folder_holds_no_secret_in_the_clear(tmp_path: Path) -> None:
    folder = tmp_path / "device"
    terminal = TerminalIdentity(folder)
    terminal.next_request()
    secret = device_secret(secret_beside(folder))
    raw = terminal._key.private_bytes_raw()
    files = list(folder.iterdir())
    assert {path.name for path in files} == {"identity.key", "identity.next"}
    for path in files:
        assert path.stat().st_mode & 0o077 == 0
        assert raw not in path.read_bytes()
        assert secret not in path.read_bytes()
    assert secret_beside(folder).stat().st_mode & 0o077 == 0


def test_a_secret_that_is_too_short_or_a_key_that_was_changed_is_refused(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"hunter2")
    with pytest.raises(IdentityError, match="7 bytes"):
        device_secret(tmp_path / "short")
    TerminalIdentity(tmp_path / "device")
    path = tmp_path / "device" / "identity.key"
    sealed = path.read_bytes()
    path.write_bytes(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    with pytest.raises(IdentityError, match="another device"):
        TerminalIdentity(tmp_path / "device")
    path.write_bytes(bytes(32))
    with pytest.raises(IdentityError, match="no sealed key"):
        TerminalIdentity(tmp_path / "device")


def test_one_secret_gives_another_key_for_each_purpose() -> None:
    keys = {
        drawn(bytes(32), "terminal key"),
        drawn(bytes(32), "device vault"),
        drawn(b"1" * 32, "device vault"),
    }
    assert len(keys) == 3


def test_a_renewal_that_stopped_half_way_is_finished_when_the_device_starts(
    tmp_path: Path, city: TerminalAuthority
) -> None:
    device = TerminalIdentity(tmp_path / "device")
    pem = city.enrol(device.next_request(), 1001, TerminalRole.VALIDATOR, 12)
    (tmp_path / "device" / "certificate.pem").write_bytes(
        pem
    )  # the power went before the key was changed over
    again = TerminalIdentity(tmp_path / "device")
    assert again.public_key == read_certificate(pem, city.root_certificate()).public_key
    assert not (tmp_path / "device" / "identity.next").exists()


def test_another_devices_certificate_is_not_installed(tmp_path: Path, city: TerminalAuthority) -> None:
    pem = city.enrol(TerminalIdentity(tmp_path / "other").request(), 1, TerminalRole.KIOSK, 1)
    with pytest.raises(IdentityError, match="another device's key"):
        TerminalIdentity(tmp_path / "device").install(pem)


def test_rights_stand_in_the_certificate_and_only_those_of_the_role(
    tmp_path: Path, city: TerminalAuthority
) -> None:
    request = TerminalIdentity(tmp_path / "device").request()
    rights = Rights(frozenset({Right.SALE}), Rupiah(2_000_000))
    pem = city.enrol(request, 7, TerminalRole.MERCHANT, 501, rights=rights)
    assert read_certificate(pem, city.root_certificate()).rights == rights
    with pytest.raises(IdentityError, match="choose others"):
        city.enrol(request, 7, TerminalRole.VALIDATOR, 501, rights=rights)


@given(
    st.sampled_from(list(TerminalRole)),
    st.integers(1, LIMIT_MAX),
    st.sets(st.integers(1, (1 << 31) - 1), max_size=12),
)
def test_rights_are_read_as_they_were_written(role: TerminalRole, limit: int, routes: set[int]) -> None:
    rights = Rights(ROLE_RIGHTS[role], Rupiah(limit), tuple(sorted(routes)))
    assert rights.within(role)
    assert Rights.decode(rights.encode()) == rights
    assert rights.extension().value[1] == len(rights.extension().value) - 2  # DER's short form is enough
    assert RIGHTS_OID.dotted_string.startswith("2.25.")


@given(st.binary(max_size=60))
def test_garbage_is_no_rights(data: bytes) -> None:
    try:
        assert Rights.decode(data).encode()
    except IdentityError as error:
        assert "rights" in str(error)


def test_a_ticket_is_read_as_it_was_printed_however_it_is_typed(city: TerminalAuthority) -> None:
    root = city.root_certificate()
    ticket = Ticket.drawn(1001, root)
    printed = str(ticket)
    assert Ticket.read(printed) == Ticket.read(f" {printed.lower().replace('0', 'o')} ") == ticket
    assert ticket.fingerprint == fingerprint(root)
    assert ticket.code not in repr(ticket)
    for wrong in (
        "",
        "1001",
        printed[:-1],
        printed.replace("-", ""),
        printed + "-AAAA",
        "x" * 10_000,
        "²" + printed,
    ):
        with pytest.raises(IdentityError, match="no enrolment code"):
            Ticket.read(wrong)
