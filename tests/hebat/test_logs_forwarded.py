"""The server's log leaves the machine: systemd's own uploader, with the settings of `deploy/`, brings a real server's lines over TLS to a receiver, and to nobody else."""

from __future__ import annotations

import configparser
import json
import re
import ssl
import subprocess
import sys
import threading
import time
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.certificates import certificate
from tests.hebat.test_deploy import DEPLOY, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

REMOTE: Final = Path("/lib/systemd/systemd-journal-remote")
UPLOAD: Final = Path("/lib/systemd/systemd-journal-upload")
HERE: Final = "127.0.0.1"
SERVES: Final = """
import sys
from pathlib import Path
from hebat.logs import configure
from hebat.settings import LogLevel
from tests.hebat.test_deploy import metrics_of_a_server
configure(LogLevel.INFO)
metrics_of_a_server(Path(sys.argv[1]))
"""


class Quiet(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """A caller that is refused is what is tested."""


class Receiver:
    """Another machine: takes uploads (systemd-journal-upload(8)) over TLS, from callers that have the client's certificate alone."""

    def __init__(self, shown: Path, client: Path) -> None:
        self.heard = heard = list[str]()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                heard.extend(re.findall(r"^MESSAGE=(.*)$", body.decode(), re.MULTILINE))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(shown, shown.with_suffix(".key"))
        context.load_verify_locations(client)
        context.verify_mode = ssl.CERT_REQUIRED
        self.server = Quiet((HERE, 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@contextmanager
def receiving(shown: Path, client: Path) -> Iterator[Receiver]:
    receiver = Receiver(shown, client)
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


class Machine:
    """The ledger's own machine: a journal with a server's lines in it, and the uploader."""

    def __init__(self, folder: Path, lines: list[str]) -> None:
        if not (REMOTE.exists() and UPLOAD.exists()):
            pytest.skip("systemd-journal-remote is not installed")
        self.folder = folder
        entry = {"_BOOT_ID": uuid.uuid4().hex, "_MACHINE_ID": uuid.uuid4().hex, "_SYSTEMD_UNIT": "hebat-serve.service"}  # fmt: skip
        now = time.time_ns() // 1000
        exported = ""
        for number, line in enumerate(lines):
            fields = {"__REALTIME_TIMESTAMP": now + number, "__MONOTONIC_TIMESTAMP": number + 1, **entry, "MESSAGE": line}  # fmt: skip
            exported += "".join(f"{name}={value}\n" for name, value in fields.items()) + "\n"
        command = [str(REMOTE), "-o", str(folder / "own.journal"), "-"]
        subprocess.run(command, input=exported, text=True, check=True, capture_output=True, timeout=60)

    def upload(self, port: int, client: Path, trusted: Path) -> int:
        """Send what was not sent yet, by the settings of the shipped file with this test's names in their places; how it ended."""
        shipped = configparser.ConfigParser()
        shipped.read(DEPLOY / "journal-upload.conf", encoding="utf-8")
        told = dict(shipped["Upload"])
        assert told.pop("url").startswith("https://")
        ours = {"ServerKeyFile": client.with_suffix(".key"), "ServerCertificateFile": client, "TrustedCertificateFile": trusted}  # fmt: skip
        assert told.keys() == {name.lower() for name in ours}
        options = {"--key": ours["ServerKeyFile"], "--cert": client, "--trust": trusted, "--url": f"https://{HERE}:{port}"}  # fmt: skip
        options |= {"--file": self.folder / "own.journal", "--save-state": self.folder / "state", "--follow": "no"}  # fmt: skip
        command = [str(UPLOAD), *(f"{name}={value}" for name, value in options.items())]
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a real server, in a process of its own, wrote to standard error, where journald would take it."""
    serving = [sys.executable, "-c", SERVES, str(tmp_path_factory.mktemp("served"))]
    ran = subprocess.run(serving, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    told = [line for line in ran.stderr.splitlines() if line.startswith("{")]
    assert {"call", "ledger opened"} <= {json.loads(line)["event"] for line in told}
    return told


def test_each_line_of_the_servers_log_arrives_on_another_machine_in_its_order(
    lines: list[str], tmp_path: Path
) -> None:
    machine, client = Machine(tmp_path, lines), certificate(tmp_path, "client", HERE)
    server = certificate(tmp_path, "server", HERE)
    with receiving(server, client) as receiver:
        port = receiver.server.server_address[1]
        assert machine.upload(port, client, server) == 0
        assert receiver.heard == lines
        assert machine.upload(port, client, server) == 0
        assert receiver.heard[len(lines) :] in ([], lines[-1:]), (
            "the last alone, by which it finds its place, may come again"
        )


def test_nothing_goes_to_a_machine_that_proves_nothing_and_all_of_it_later_to_the_right_one(
    lines: list[str], tmp_path: Path
) -> None:
    machine, client = Machine(tmp_path, lines), certificate(tmp_path, "client", HERE)
    server, stranger = certificate(tmp_path, "server", HERE), certificate(tmp_path, "stranger", HERE)
    with receiving(stranger, client) as false:
        assert machine.upload(false.server.server_address[1], client, server) != 0
        assert false.heard == []
    with receiving(server, client) as receiver:
        port = receiver.server.server_address[1]
        assert machine.upload(port, stranger, server) != 0, (
            "and the receiver takes nobody else's lines for ours"
        )
        assert receiver.heard == []
        assert machine.upload(port, client, server) == 0
        assert receiver.heard == lines
