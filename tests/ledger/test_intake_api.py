"""The ledger over real sockets: batches, loads, accounts, and every bad body answered as RFC 9457 says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cbor2
import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from card.batch import BATCH_BYTES_MAX, LOAD_CONTENT_TYPE
from card.layout import TapKind
from hebat.application import application
from hebat.folder import Folder
from hebat.serving import LoopbackServer
from keys.identity import TerminalRole
from ledger.chart import purse
from tests.ledger.desk import Scene, open_scene
from tests.ledger.tokens import staff

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hebat.issuing import Issued
    from tests.ledger.desk import Desk

PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    opened = open_scene(Folder(tmp_path_factory.mktemp("api") / "city"), fresh=True)
    with opened.city:
        yield opened


@pytest.fixture(scope="module")
def client(scene: Scene) -> Iterator[httpx2.Client]:
    with (
        LoopbackServer(application(scene.city)) as server,
        httpx2.Client(base_url=server.address, timeout=60, headers=staff(scene.city)) as made,
    ):
        yield made


def post(
    client: httpx2.Client, body: bytes, path: str = "/v1/batches", kind: str = "application/cose"
) -> httpx2.Response:
    return client.post(path, content=body, headers={"Content-Type": kind})


def expect_problem(response: httpx2.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == PROBLEM
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    assert problem["detail"]
    return problem


def test_a_batch_is_posted_and_the_account_shows_it(scene: Scene, client: httpx2.Client) -> None:
    card, desk = scene.card(loaded=50_000), scene.desk(1101)
    desk.tap(card, TapKind.FARE, 3_500)
    answer = post(client, desk.body()).json()
    assert answer["results"] == [{"sequence": 1, "result": "posted"}]
    account = client.get(f"/v1/accounts/{purse(card.identity.card_number)}").json()
    assert (account["net"], account["display"]) == (4_650_000, "Rp46.500")
    trial = client.get("/v1/trial-balance").json()
    assert trial["debits"] == trial["credits"] > 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"not cbor", 400),
        (b"\xd8\x12\x84", 400),
        (b"", 400),
        (cbor2.dumps({"a": 1}), 400),
        (b"\x9b" + b"\xff" * 8, 400),
        (bytes(BATCH_BYTES_MAX + 1), 413),
    ],
    ids=["garbage", "truncated", "empty", "no envelope", "huge array", "oversized"],
)
def test_a_body_that_is_no_batch_gets_a_problem(client: httpx2.Client, body: bytes, status: int) -> None:
    expect_problem(post(client, body), status)


def test_an_oversized_body_without_a_length_is_refused_while_it_streams(client: httpx2.Client) -> None:
    def stream() -> Iterator[bytes]:
        for _ in range(40):
            yield bytes(64 << 10)

    response = client.post("/v1/batches", content=stream(), headers={"Content-Type": "application/cose"})
    expect_problem(response, 413)


def test_another_content_type_is_refused(client: httpx2.Client) -> None:
    expect_problem(post(client, b"{}", kind="application/json"), 415)


def test_a_truncated_batch_is_refused_and_kept(scene: Scene, client: httpx2.Client) -> None:
    desk = scene.desk(1102)
    desk.tap(scene.card(loaded=50_000), TapKind.FARE, 3_500)
    expect_problem(post(client, desk.body()[:-10]), 400)


def test_an_unknown_terminal_is_refused(scene: Scene, client: httpx2.Client) -> None:
    desk = scene.desk(1103)
    desk.tap(scene.card(loaded=50_000), TapKind.FARE, 3_500)
    desk.number = 999_999
    expect_problem(post(client, desk.body()), 403)


def test_a_gap_is_a_conflict_that_says_where_to_go_on(scene: Scene, client: httpx2.Client) -> None:
    desk = scene.desk(1104)
    desk.tap(scene.card(loaded=50_000), TapKind.FARE, 3_500)
    desk.first = 9
    assert "sequence 1, not 9" in expect_problem(post(client, desk.body()), 409)["detail"]


@pytest.mark.parametrize(
    "path", ["/v1/accounts/12", "/v1/accounts/0", "/v1/accounts/x", "/v1/nothing", "/v1/quarantine?limit=0"]
)
def test_wrong_addresses_get_problems_too(client: httpx2.Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code in {404, 422}
    expect_problem(response, response.status_code)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.binary(min_size=1, max_size=300))
def test_garbage_never_brings_the_server_down(client: httpx2.Client, body: bytes) -> None:
    expect_problem(post(client, body), 400)


def ask_load(desk: Desk, card: Issued, amount: int, request: int) -> bytes:
    payload = cbor2.dumps([card.chip.uid, amount, request, desk.city.clock.now()], canonical=True)
    return desk.seal(payload, LOAD_CONTENT_TYPE)


def test_a_load_is_a_hold_until_the_card_shows_it(scene: Scene, client: httpx2.Client) -> None:
    card, kiosk = scene.card(), scene.desk(3101, TerminalRole.KIOSK, 701)
    asked = ask_load(kiosk, card, 40_000, 1)
    hold = post(client, asked, "/v1/loads").json()["authorisation"]
    assert post(client, asked, "/v1/loads").json()["authorisation"] == hold
    account = purse(card.identity.card_number)
    assert (
        scene.city.ledger.balance(account).credits_posted,
        scene.city.ledger.balance(account).credits_pending,
    ) == (0, 4_000_000)
    kiosk.tap(card, TapKind.LOAD, 40_000, hold=hold)
    kiosk.send()
    after = scene.city.ledger.balance(account)
    assert (after.credits_posted, after.credits_pending) == (4_000_000, 0)


def test_a_load_that_the_card_never_took_gives_its_hold_back(scene: Scene, client: httpx2.Client) -> None:
    card, kiosk, bus = scene.card(loaded=20_000), scene.desk(3102, TerminalRole.KIOSK, 701), scene.desk(1105)
    hold = post(client, ask_load(kiosk, card, 40_000, 1), "/v1/loads").json()["authorisation"]
    kiosk.tap(card, TapKind.LOAD, 40_000, hold=hold, confirmed=False, commits=False)
    kiosk.send()
    bus.tap(card, TapKind.FARE, 3_500)
    bus.send()
    balance = scene.city.ledger.balance(purse(card.identity.card_number))
    assert (balance.credits_pending, balance.net(purse(card.identity.card_number))) == (0, 1_650_000)


def test_two_loads_of_one_batch_that_name_one_hold_are_both_posted_and_the_second_is_shown(
    scene: Scene, client: httpx2.Client
) -> None:
    card, kiosk = scene.card(), scene.desk(3104, TerminalRole.KIOSK, 701)
    hold = post(client, ask_load(kiosk, card, 40_000, 1), "/v1/loads").json()["authorisation"]
    for _ in range(2):
        kiosk.tap(card, TapKind.LOAD, 40_000, hold=hold)
    assert [result["result"] for result in kiosk.send().results] == ["posted", "posted"]
    balance = scene.city.ledger.balance(purse(card.identity.card_number))
    assert (balance.credits_posted, balance.credits_pending) == (8_000_000, 0)
    assert "load_unauthorised" in client.get("/v1/exceptions").text


def test_a_load_over_the_purses_limit_is_refused_holds_included(scene: Scene, client: httpx2.Client) -> None:
    card, kiosk = scene.card(), scene.desk(3103, TerminalRole.KIOSK, 701)
    assert post(client, ask_load(kiosk, card, 1_500_000, 1), "/v1/loads").status_code == 200
    problem = expect_problem(post(client, ask_load(kiosk, card, 500_001, 2), "/v1/loads"), 422)
    assert "2000000" in problem["detail"]
    assert post(client, ask_load(kiosk, card, 500_000, 3), "/v1/loads").status_code == 200


def test_a_bus_may_not_load(scene: Scene, client: httpx2.Client) -> None:
    expect_problem(post(client, ask_load(scene.desk(1106), scene.card(), 10_000, 1), "/v1/loads"), 422)


def test_a_bare_scan_tells_a_band_and_nobody_guesses_a_page(scene: Scene, client: httpx2.Client) -> None:
    card, desk = scene.card(loaded=50_000), scene.desk(1107)
    desk.tap(card, TapKind.FARE, 3_500)
    desk.send()
    page = client.get(f"/c/{card.token}")
    assert page.status_code == 200
    assert "Rp46.500" not in page.text
    assert "Simpang Lima" not in page.text
    assert str(card.identity.card_number) not in page.text
    assert card.chip.uid.hex() not in page.text.lower()
    assert page.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert client.get("/c/guess").status_code == 404


def test_the_api_describes_itself(client: httpx2.Client) -> None:
    described = client.get("/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    assert {"/v1/batches", "/v1/loads", "/v1/accounts/{account}", "/v1/trial-balance"} <= described[
        "paths"
    ].keys()
