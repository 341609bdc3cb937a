"""A proxy between caller and ledger drops the answer after the commit: sent again, the caller gets the first answer, byte for byte."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import httpx2
import pytest

from card.layout import TapKind
from hebat.application import application
from hebat.folder import Folder
from hebat.serving import LoopbackServer
from keys.clock import UnixMs
from ledger.book import Ledger
from ledger.chart import purse
from tests.empty import new_database
from tests.ledger.desk import open_scene
from tests.ledger.entries import SetClock
from tests.ledger.served import Served, order, wallet

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOON = UnixMs(1_748_840_400_000)
LENGTH = b"content-length:"


def one_message(wire: socket.socket) -> bytes:
    """A request or an answer, to the end of the body that its head speaks of."""
    said = b""
    while b"\r\n\r\n" not in said:
        said += wire.recv(1 << 16)
    head, _, body = said.partition(b"\r\n\r\n")
    at = head.lower().find(LENGTH)
    length = int(head[at + len(LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
    while len(body) < length:
        body += wire.recv(1 << 16)
    return head + b"\r\n\r\n" + body


class DroppingProxy:
    """Passes a request on, hears the whole answer, and hangs up on the caller instead of giving it."""

    def __init__(self, address: str) -> None:
        self._there = ("127.0.0.1", int(address.rpartition(":")[2]))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.dropped: list[bytes] = []

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                with caller, socket.create_connection(self._there) as ledger:
                    ledger.sendall(one_message(caller))
                    self.dropped.append(one_message(ledger))

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def sent_in_vain(proxy: DroppingProxy, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """The body of the answer that the caller never saw."""
    with httpx2.Client(base_url=proxy.address, timeout=20) as client, pytest.raises(httpx2.TransportError):
        client.post(path, content=body, headers=headers)
    return proxy.dropped[-1].partition(b"\r\n\r\n")[2]


@pytest.fixture(scope="module")
def served(module_url: str) -> Iterator[Served]:
    with Ledger.open(module_url, SetClock(NOON)) as ledger, Served(ledger) as opened:
        yield opened


def test_a_debit_whose_answer_was_dropped_is_answered_as_it_was_the_first_time(served: Served) -> None:
    partner = served.client("partner")
    partner.fund(1, 1_000_000)
    request = partner.http.build_request("POST", "/v1/debits", json=order(1, 350_000))
    headers = {"Authorization": partner.http.headers["authorization"], "Content-Type": "application/json", "Idempotency-Key": "lost"}  # fmt: skip
    with DroppingProxy(served.server.address) as proxy:
        first = [sent_in_vain(proxy, "/v1/debits", request.content, headers) for _ in range(2)]
        assert [answer.split(b" ")[1] for answer in proxy.dropped] == [b"201", b"201"]
    again = partner.post("/v1/debits", order(1, 350_000), "lost")
    assert (again.status_code, {again.content}) == (201, set(first))
    assert served.ledger.balance(wallet(1)).debits_posted == 350_000


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_signed_batch_whose_answer_was_dropped_gets_its_first_receipt(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    url = "" if kind == "sqlite" else new_database(request.getfixturevalue("postgres"), empty=True)
    scene = open_scene(Folder(tmp_path / "city", url), fresh=True)
    with scene.city, LoopbackServer(application(scene.city)) as server:
        card, desk = scene.card(loaded=50_000), scene.desk()
        desk.tap(card, TapKind.FARE, 3_500)
        body, headers = desk.body(), {"Content-Type": "application/cose"}
        with DroppingProxy(server.address) as proxy:
            first = sent_in_vain(proxy, "/v1/batches", body, headers)
        again = httpx2.post(f"{server.address}/v1/batches", content=body, headers=headers, timeout=20)
        assert (again.status_code, again.content) == (200, first)
        assert b'"result":"posted"' in first
        assert scene.city.ledger.balance(purse(card.identity.card_number)).debits_posted == 350_000
