"""A terminal on a temporary disk, real cards, and a small HTTP server that signs receipts as a ledger does."""

from __future__ import annotations

import base64
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import cbor2
import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from card.batch import decode_batch, digest
from card.layout import AID, NEVER, Concession, File, Identity, card_number
from card.personalise import personalise
from card.virtual import VirtualCard
from keys import envelope
from keys.clock import UnixMs
from keys.filevault import FileVault
from keys.identity import TerminalIdentity
from keys.vault import Role
from terminals.fares import TRANS_SEMARANG_2022, Place
from terminals.outbox import Outbox
from terminals.station import Station
from terminals.terminal import Terminal
from terminals.upkeep import Parts
from terminals.upload import Link

if TYPE_CHECKING:
    from pathlib import Path

    from card.batch import Batch

START = UnixMs(1_795_000_000_000)
PLACE = Place("1", "Simpang Lima", 1, 7, 1001)
IDENTITY = Identity(
    card_number(9, 1),
    9,
    1,
    registered=True,
    concession=Concession.GENERAL,
    concession_until=NEVER,
    valid_until=NEVER,
)


class Lasting(Station):
    """A station whose boards stay until a test has seen them, however long a busy machine takes for that; that they end by themselves, `test_terminal_screen` shows."""

    def _release(self, number: int) -> None:
        """Not yet."""

    def let_go(self) -> None:
        """Back to waiting, as once the time of what is shown is over."""
        super()._release(self.boards.now.number)


@dataclass
class Clock:
    """A clock that a test moves."""

    at: UnixMs = START

    def now(self) -> UnixMs:
        return self.at

    def wait(self, seconds: int) -> None:
        self.at = UnixMs(self.at + 1000 * seconds)


def city_vault(folder: Path) -> FileVault:
    """A vault with all roles."""
    made = FileVault.create(folder / "city.vault", "x", 16)
    for number, role in enumerate(Role):
        made.add_master(role, 1, bytes([number]) * 16)
    return made


def card(vault: FileVault, value: int = 50_000, serial: int = 1) -> VirtualCard:
    """A personalised card whose chip holds some rupiah."""
    chip = VirtualCard(bytes([4, 0, 0, 0, 0, 0, serial]))
    personalise(chip, vault, IDENTITY)
    chip.applications[AID].files[File.PURSE].value = value
    return chip


def value_of(chip: VirtualCard) -> int:
    """What the chip's purse holds."""
    return chip.applications[AID].files[File.PURSE].value


@dataclass
class Ledger:
    """What a test makes the server answer, and what it was sent. `mishaps` are taken one a request, `steps` one a message of a load."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    bodies: list[bytes] = field(default_factory=list)
    mishaps: list[str] = field(default_factory=list)
    steps: list[Any] = field(default_factory=list)

    def answer(self, path: str, body: bytes) -> tuple[int, dict[str, Any]] | None:
        """Status and JSON; None: act, and say nothing."""
        mishap = self.mishaps.pop(0) if self.mishaps else ""
        if mishap.isdigit():
            return int(mishap), {"title": "no", "detail": f"told to say {mishap}"}
        self.bodies.append(body)
        if path.startswith("/v1/loads"):
            return 200, self.steps.pop(0)
        if path == "/v1/shifts":
            return 404, {"title": "no", "detail": "this ledger keeps no shifts"}
        batch = decode_batch(envelope.parse(body).payload)
        return None if mishap == "lost" else (200, self.receipt(body, batch, mishap))

    def receipt(self, body: bytes, batch: Batch, mishap: str) -> dict[str, Any]:
        """A signed receipt, or one that is not what it ought to be."""
        key = Ed25519PrivateKey.generate() if mishap == "other key" else self.key
        told = bytes(32) if mishap == "other batch" else digest(body)
        fields = [batch.terminal, batch.first_sequence, batch.last_sequence, told, 1, 1, bytes(32)]
        signed = envelope.seal(cbor2.dumps(fields), kid=b"ledger", sign=key.sign, content_type="x")
        results = [{"sequence": record.sequence, "result": "posted"} for record in batch.records]
        return {"results": results, "receipt": base64.b64encode(signed).decode()}

    def records(self) -> list[Any]:
        """All records that were ever taken in, each batch once."""
        taken = {
            body: decode_batch(envelope.parse(body).payload) for body in self.bodies if b"ksh-batch" in body
        }
        return [record for batch in taken.values() for record in batch.records]


class Server:
    """The ledger's stand-in on a real socket."""

    def __init__(self, ledger: Ledger) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = ledger.answer(self.path, body)
                if answer is None:
                    self.connection.close()
                    return
                status, told = answer
                text = json.dumps(told).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except ValueError:  # the connection was closed on purpose
                    self.close_connection = True

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def terminal(
    folder: Path, vault: FileVault, clock: Clock, ledger: Ledger, address: str, number: int = 1001
) -> Terminal:
    """A terminal that speaks to an address."""
    identity = TerminalIdentity(folder / f"terminal-{number}")
    client = httpx2.Client(base_url=address, timeout=60)
    link = Link(client, number, identity.sign, ledger.key.public_key().public_bytes_raw(), clock, attempts=2)
    outbox = Outbox(folder / f"terminal-{number}" / "outbox.db")
    return Terminal(Parts(number, outbox, vault, link, clock, TRANS_SEMARANG_2022))
