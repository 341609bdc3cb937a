"""A terminal's identity: what a certificate proves, and to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keys.clock import UnixMs
from keys.errors import IdentityError
from keys.filevault import FileVault
from keys.identity import TerminalAuthority, TerminalIdentity, TerminalRole, read_certificate

if TYPE_CHECKING:
    from pathlib import Path

NOW = UnixMs(1_795_000_000_000)
DAY_MS = 86_400_000


class Stopped:
    def now(self) -> UnixMs:
        return NOW


def authority(folder: Path, name: str) -> TerminalAuthority:
    vault = FileVault.create(folder / f"{name}.vault", "x", 16)
    vault.generate_signing_key("authority")
    return TerminalAuthority(vault, "authority", Stopped())


def test_a_certificate_says_who_a_terminal_is_and_what_it_may_do(tmp_path: Path) -> None:
    city = authority(tmp_path, "city")
    device = TerminalIdentity(tmp_path / "device")
    pem = city.enrol(device.request(), 1001, TerminalRole.VALIDATOR, 12)
    found = read_certificate(pem, city.root_certificate(), NOW)
    assert (found.terminal, found.role, found.owner) == (1001, TerminalRole.VALIDATOR, 12)
    device.install(pem)
    assert TerminalIdentity(tmp_path / "device").certificate() == pem


def test_another_citys_certificate_proves_nothing(tmp_path: Path) -> None:
    device = TerminalIdentity(tmp_path / "device")
    pem = authority(tmp_path, "other").enrol(device.request(), 1001, TerminalRole.KIOSK, 12)
    with pytest.raises(IdentityError, match="not of this city"):
        read_certificate(pem, authority(tmp_path, "city").root_certificate(), NOW)


@pytest.mark.parametrize("at", [NOW - DAY_MS, NOW + 91 * DAY_MS])
def test_a_certificate_out_of_its_dates_proves_nothing(tmp_path: Path, at: int) -> None:
    city = authority(tmp_path, "city")
    pem = city.enrol(TerminalIdentity(tmp_path / "device").request(), 1001, TerminalRole.KIOSK, 12)
    with pytest.raises(IdentityError, match="out of date"):
        read_certificate(pem, city.root_certificate(), UnixMs(at))


def test_a_request_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IdentityError, match="no PEM"):
        authority(tmp_path, "city").enrol(b"hello", 1, TerminalRole.KIOSK, 1)


def test_the_key_stays_on_the_device_readable_by_its_owner_alone(tmp_path: Path) -> None:
    device = TerminalIdentity(tmp_path / "device")
    path = tmp_path / "device" / "identity.key"
    assert path.stat().st_mode & 0o077 == 0
    assert path.read_bytes().hex() not in repr(device)
