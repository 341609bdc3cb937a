"""A kept city, served again: its pages answer, and a second server on the same database is refused."""

from __future__ import annotations

import os
import re
import shutil
import signal
import ssl
import subprocess
from typing import TYPE_CHECKING

import httpx2
import pytest

from hebat.folder import Folder
from keys.clock import SystemClock
from ledger.store import Database
from settlement.staff.log import Said
from settlement.staff.office import StaffOffice
from settlement.staff.roles import Role
from settlement.staff.seal import seal_of
from tests.certificates import certificate
from tests.system.conftest import hebat, serving
from tests.system.ready import Started
from tests.system.typist import Typist

if TYPE_CHECKING:
    from pathlib import Path

    from tests.system.conftest import Demo


WORDS = "nine quiet kingfishers"


def test_at_a_terminal_a_server_says_that_it_starts_and_where_its_pages_are(
    demo: Demo, tmp_path: Path
) -> None:
    folder = tmp_path / "city"
    shutil.copytree(demo.folder, folder)
    person = Typist("serve", "--data", folder, "--port", "0")
    person.until("Starting: ")
    person.until("Ready. Ctrl-C stops.")
    person.until("/metrics")
    found = re.findall(r"(https?://\S+?)(/\S*)", person.seen.decode().partition("Ready.")[2])
    assert [path for _, path in found] == ["/", "/staff/sign-in", "/openapi.json", "/metrics"]
    for address, path in found:
        assert httpx2.get(f"{address}{path}", timeout=60).status_code == 200, path
    os.kill(person.pid, signal.SIGINT)
    assert person.end() in {0, 130}
    said = person.seen.decode()
    assert '{"' not in said, "no JSON at a terminal"
    assert re.search(r"\d\d:\d\d:\d\d info +ledger opened ", said)


def test_the_pages_that_the_demo_names_answer(demo: Demo, served: tuple[Path, str]) -> None:
    _, address = served
    with httpx2.Client(base_url=address, timeout=60) as client:
        for name, path in demo.report["pages"]:
            page = client.get(path)
            # What staff see is behind their door; everybody else's pages are open.
            assert page.status_code == (303 if path.startswith("/night") else 200), name
            assert page.headers.get("location", "") == ("/staff/sign-in" if path.startswith("/night") else "")


def test_staff_of_a_kept_city_sign_in_at_the_served_console(served: tuple[Path, str]) -> None:
    folder, address = served
    place = Folder(folder)
    database = Database(place.database_url)
    office = StaffOffice(database, seal_of(place.staff_key), SystemClock())
    assert [person.name for person in office.people()] == ["auditor", "checker", "maker"]
    _, codes = office.add_enrolled("visitor", frozenset({Role.CHECKER}), WORDS, Said("test", "shell", ""))
    database.close()
    with httpx2.Client(base_url=address, timeout=60) as client:
        signed_in(client, "visitor", WORDS, codes[0])
        night = client.get("/night/2026-11-18").text
        assert "amount differs" in night.lower()


def test_a_server_with_a_certificate_answers_over_tls_and_with_half_of_it_does_not_start(
    demo: Demo, tmp_path: Path
) -> None:
    folder = tmp_path / "city"
    shutil.copytree(demo.folder, folder)
    pem = certificate(tmp_path, "inside", "127.0.0.1")
    key = str(pem.with_suffix(".key"))
    with serving(folder, HEBAT_TLS_CERTIFICATE=str(pem), HEBAT_TLS_KEY=key) as address:
        assert address.startswith("https://")
        trusted = ssl.create_default_context(cafile=str(pem))
        assert httpx2.get(f"{address}/ready", verify=trusted, timeout=60).status_code == 200
        with pytest.raises(httpx2.TransportError):
            httpx2.get(f"{address}/ready".replace("https", "http"), timeout=60)
    half = hebat("serve", "--data", folder, "--port", "0", HEBAT_TLS_KEY=key)
    assert half.code == 1
    assert "HEBAT_TLS_CERTIFICATE and HEBAT_TLS_KEY are no certificate and its key" in half.err


def signed_in(client: httpx2.Client, name: str, password: str, code: str) -> None:
    """Sign in over plain loopback, where a program (not a browser) has to send its secure cookies by hand."""
    page = client.get("/staff/sign-in")
    for path, form in (
        ("/staff/sign-in", {"name": name, "password": password}),
        ("/staff/code", {"code": code}),
    ):
        client.headers["cookie"] = "; ".join([client.headers.get("cookie", ""), cookie_of(page)]).strip("; ")
        if path.endswith("code"):
            page = client.get(path)
        found = re.search(r'name="form_token" value="([0-9a-f]+)"', page.text)
        assert found is not None
        page = client.post(path, data={**form, "form_token": found[1]})
        assert page.status_code == 303
        client.headers["cookie"] = cookie_of(page)


def cookie_of(answer: httpx2.Response) -> str:
    return answer.headers.get("set-cookie", "").partition(";")[0]


def test_a_second_server_on_the_same_database_is_refused(served: tuple[Path, str]) -> None:
    folder, _ = served
    ran = hebat("serve", "--data", folder, "--port", "0")
    assert ran.code == 4
    assert "another server" in ran.err
    assert "Traceback" not in ran.err


def test_verify_may_look_while_the_server_runs(served: tuple[Path, str]) -> None:
    folder, _ = served
    assert hebat("ledger", "verify", "--data", folder).code == 0


def test_a_killed_server_leaves_a_ledger_that_opens_again(demo: Demo, tmp_path: Path) -> None:
    folder = tmp_path / "city"
    shutil.copytree(demo.folder, folder)
    with Started("serve", "--data", folder, "--port", "0", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert "http://" in process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
    assert hebat("ledger", "verify", "--data", folder).code == 0
