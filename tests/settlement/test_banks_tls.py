"""TLS towards a bank: who signed the bank's certificate is checked, and so is its name; nothing is sent to anybody else."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from settlement.banks.wire import HttpWire
from settlement.errors import BankUnreachable
from settlement.snap.calls import Call
from tests.certificates import certificate

if TYPE_CHECKING:
    from pathlib import Path

CALL = Call("POST", "/v1.0/balance-inquiry", {}, b"{}")


class Quiet(HTTPServer):
    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is what is tested."""


class Served:
    """A bank behind TLS that remembers what reached it, and may lead elsewhere."""

    def __init__(self, pem: Path, leads_to: str = "") -> None:
        self.heard: list[str] = []
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                heard.append(f"{self.connection.version()} {self.path}")
                self.send_response(307 if leads_to else 200)
                if leads_to:
                    self.send_header("Location", leads_to)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = Quiet(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem, pem.with_suffix(".key"))
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.address = f"https://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    certificate(tmp_path, "bank", "127.0.0.1")
    certificate(tmp_path, "stranger", "127.0.0.1")
    certificate(tmp_path, "elsewhere", "127.0.0.2")
    return tmp_path


def test_a_call_goes_out_over_tls_to_a_bank_whose_certificate_is_trusted(folder: Path) -> None:
    served = Served(folder / "bank.pem")
    wire = HttpWire(served.address, folder / "bank.pem")
    assert wire.send(CALL).status == 200
    wire.close()
    assert served.heard == ["TLSv1.3 /v1.0/balance-inquiry"]


@pytest.mark.parametrize(
    ("shown", "trusted"), [("bank", None), ("stranger", "bank"), ("elsewhere", "elsewhere")],
    ids=["signed by nobody we know", "somebody else's", "another host's"],
)  # fmt: skip
def test_nothing_is_sent_to_a_bank_that_proves_nothing(folder: Path, shown: str, trusted: str | None) -> None:
    served = Served(folder / f"{shown}.pem")
    wire = HttpWire(served.address, folder / f"{trusted}.pem" if trusted else None)
    with pytest.raises(BankUnreachable):
        wire.send(CALL)
    wire.close()
    assert served.heard == []


def test_a_bank_that_leads_elsewhere_is_not_followed(folder: Path) -> None:
    elsewhere = Served(folder / "bank.pem")
    served = Served(folder / "bank.pem", f"{elsewhere.address}/v1.0/balance-inquiry")
    wire = HttpWire(served.address, folder / "bank.pem")
    assert wire.send(CALL).status == 307
    wire.close()
    assert len(served.heard) == 1
    assert elsewhere.heard == [], "what was signed for a bank goes to that bank alone"
