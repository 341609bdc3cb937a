"""A rehearsal over TLS: batches go to a server that proves who it is, and to nobody else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import pytest

from hebat.application import application
from hebat.errors import InputRefused
from hebat.folder import Folder
from hebat.load.commands import _here, _posted
from hebat.load.driving import Fleet, Step
from hebat.load.kit import Body
from hebat.serving import LoopbackServer, tls_between
from tests.certificates import certificate
from tests.hebat.test_load import POSTED, answer, server
from tests.ledger.desk import open_scene
from tests.system.conftest import hebat

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HERE: Final = "127.0.0.1"


def pair(folder: Path, name: str, host: str = HERE) -> tuple[Path, str]:
    """A certificate and its key."""
    pem = certificate(folder, name, host)
    return pem, str(pem.with_suffix(".key"))


def driven(
    pem: Path, key: str, ca: Path | None, scheme: str = "https", patience: float = 2.0
) -> tuple[Step, list[int]]:
    """Half a second of batches against a server with this certificate, and what it heard."""
    heard: list[int] = []

    async def said(number: int) -> bytes:
        heard.append(number)
        return answer(b"200 OK", POSTED)

    async def whole() -> Step:
        async with server(said, tls_between(str(pem), key)) as address:
            place = f"{scheme}:{address.partition(':')[2]}"
            fleet = Fleet(place, [[Body(b"signed", 1)] * 20 for _ in range(4)], patience, ca)
            step = await fleet.drive(40, 0.5, seed=1)
            await fleet.close()
            return step

    return asyncio.run(whole()), heard


def test_batches_go_over_tls_to_a_server_whose_certificate_is_trusted(tmp_path: Path) -> None:
    pem, key = pair(tmp_path, "server")
    step, heard = driven(pem, key, pem, patience=60)
    assert step.due == step.answered == step.posted == len(heard) > 10
    assert (step.cut, step.refused) == (0, [])


@pytest.mark.parametrize(
    "fault", ["another authority", "the machine's own authorities", "another host", "plain"]
)
def test_no_batch_goes_to_a_server_that_does_not_prove_who_it_is(tmp_path: Path, fault: str) -> None:
    pem, key = pair(tmp_path, "server", "192.0.2.1" if fault == "another host" else HERE)
    other, _ = pair(tmp_path, "other")
    ca = {"another authority": other, "the machine's own authorities": None}.get(fault, pem)
    step, heard = driven(pem, key, ca, "http" if fault == "plain" else "https")
    assert (heard, step.answered, step.posted) == ([], 0, 0)
    assert step.cut > 0


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A city's server that speaks TLS alone, and its certificate."""
    folder = tmp_path_factory.mktemp("secure")
    pem, key = pair(folder, "server")
    scene = open_scene(Folder(folder / "city"), fresh=True)
    with scene.city, LoopbackServer(application(scene.city), tls=tls_between(str(pem), key)) as served:
        yield served.address.replace("http:", "https:"), pem


def test_what_was_posted_is_asked_over_tls(secure: tuple[str, Path], tmp_path: Path) -> None:
    address, pem = secure
    assert _posted(address, pem) == 0
    other, _ = pair(tmp_path, "other")
    for ca in (None, other):
        with pytest.raises(InputRefused, match="does not prove who it is"):
            _posted(address, ca)


def test_the_command_takes_an_address_with_https_and_what_it_is_trusted_by(
    secure: tuple[str, Path], tmp_path: Path
) -> None:
    address, pem = secure
    (tmp_path / "load" / "1001").mkdir(parents=True)
    (tmp_path / "load" / "1001" / "0000-1.cose").write_bytes(b"\0")
    run = ("load", "run", "--data", tmp_path, "--address", address)
    unproven, broken = hebat(*run), hebat(*run, "--ca", tmp_path / "load" / "1001" / "0000-1.cose")
    assert (unproven.code, "does not prove who it is" in unproven.err) == (2, True), unproven.err
    assert (broken.code, "holds no certificates" in broken.err) == (2, True), broken.err
    proven = hebat(*run, "--ca", pem)
    assert (proven.code, "prepare more of them" in proven.err) == (2, True), "one batch makes no ladder"


def test_a_server_of_this_machine_with_a_certificate_is_asked_over_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEBAT_PORT", "8461")
    assert _here(None) == ("http://127.0.0.1:8461", None)
    pem, _ = pair(tmp_path, "server")
    monkeypatch.setenv("HEBAT_TLS_CERTIFICATE", str(pem))
    assert _here(None) == ("https://127.0.0.1:8461", pem)
    other = tmp_path / "other.pem"
    assert _here(other) == ("https://127.0.0.1:8461", other)
