"""The gate: who gets through it, and what attackers try."""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files
from typing import TYPE_CHECKING

import pyotp
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from settlement.console.calls import FORM_BYTES_MAX, Door
from settlement.console.web import router
from settlement.staff import store
from settlement.staff.roles import Right
from settlement.staff.sessions import digest_of
from settlement.staff.tables import sessions
from tests.settlement.at_desk import (
    PASSWORD,
    SITE,
    Opened,
    browser,
    cheaply,
    enrolled,
    member,
    opened,
    send,
    signed_in,
    token_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.settlement.town import Stage


@pytest.fixture
def at(stage: Stage, tmp_path: Path) -> Opened:
    return opened(stage, tmp_path)


def example(path: str) -> str:
    """An address of a route: its parts are things that are not there."""
    filled = [("1" if part.startswith("{") else part) for part in path.split("/")]
    return "/".join(filled)


def test_no_page_but_the_door_opens_without_a_sign_in(at: Opened) -> None:
    client = browser(at)
    open_ = {page.path for page in at.console.pages if page.needs is Door.ANYBODY}
    assert open_ == {"/staff/sign-in"}
    for page in at.console.pages:
        if page.path in open_:
            continue
        answer = client.request(page.method, example(page.path))
        expected = (303, "/staff/sign-in") if page.method == "GET" else (403, None)
        assert (answer.status_code, answer.headers.get("location")) == expected, page.path


@pytest.mark.parametrize("roles", ["maker", "checker", "auditor", "administrator"])
def test_an_address_beyond_somebodys_roles_is_refused_and_logged(at: Opened, roles: str) -> None:
    client = member(at, roles)
    home = "/staff/account"
    token = token_of(client.get(home).text)
    session = at.desk.office.session(client.cookies["__Host-ksh-session"])
    assert session is not None
    beyond = [
        page for page in at.console.pages if isinstance(page.needs, Right) and not session.may(page.needs)
    ]
    for page in beyond:
        answer = client.request(page.method, example(page.path), data={"form_token": token})
        assert answer.status_code == 403, page.path
    assert logged(at).count("refused") == len(beyond)


def logged(at: Opened) -> list[str]:
    with at.desk.database.transaction() as connection:
        return [entry.said.action for entry in store.entries(connection)]


def test_a_form_without_the_sessions_own_token_does_nothing(at: Opened) -> None:
    client, other = member(at, "maker"), member(at, "checker")
    foreign = token_of(other.get("/night").text)
    for token in ("", "0" * 64, foreign, "é" * 64):
        assert client.post("/staff/sign-out", data={"form_token": token}).status_code == 403
    assert client.get("/night").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.test"},
        {"origin": "null"},
    ],
)
def test_a_form_from_another_site_does_nothing_even_with_the_token(
    at: Opened, headers: dict[str, str]
) -> None:
    client = member(at, "maker")
    token = token_of(client.get("/night").text)
    assert client.post("/staff/sign-out", data={"form_token": token}, headers=headers).status_code == 403
    assert client.get("/night").status_code == 200


def test_a_session_that_was_planted_before_sign_in_is_worth_nothing_after(at: Opened) -> None:
    enrolled(at, "victim", "maker")
    client = browser(at)
    planted = "attackers-own-token-of-enough-length-0000000"
    client.cookies.set("__Host-ksh-session", planted, domain="console.test")
    client.cookies.set("__Host-ksh-visitor", planted, domain="console.test")
    form = {"name": "victim", "password": PASSWORD, "form_token": token_of(client.get("/staff/sign-in").text)}
    door = client.post("/staff/sign-in", data=form)
    assert door.status_code == 303
    assert planted not in door.headers["set-cookie"]
    assert at.desk.office.session(planted) is None


def test_after_sign_out_the_cookie_opens_nothing(at: Opened) -> None:
    client = member(at, "maker")
    token = client.cookies["__Host-ksh-session"]
    answer = send(client, "/staff/sign-out")
    assert (answer.status_code, answer.headers["clear-site-data"]) == (303, '"cache", "storage"')
    client.cookies.set("__Host-ksh-session", token, domain="console.test")
    assert client.get("/night").headers["location"] == "/staff/sign-in"


def test_the_cookies_are_for_this_site_alone_and_for_no_script(at: Opened) -> None:
    client = browser(at)
    enrolled(at, "maker", "maker")
    first = client.get("/staff/sign-in")
    form = {"name": "maker", "password": PASSWORD, "form_token": token_of(first.text)}
    for answer in (first, client.post("/staff/sign-in", data=form)):
        told = answer.headers["set-cookie"].lower()
        assert told.startswith("__host-ksh-")
        for word in ("httponly", "secure", "samesite=strict", "path=/"):
            assert word in told
        assert "domain" not in told


def test_wrong_sign_ins_all_get_the_same_words_and_lock_the_account(at: Opened) -> None:
    enrolled(at, "maker", "maker")
    client = browser(at)
    token = token_of(client.get("/staff/sign-in").text)

    def said(name: str, password: str) -> tuple[int, str]:
        form = {"name": name, "password": password, "form_token": token}
        answer = client.post("/staff/sign-in", data=form)
        return answer.status_code, answer.text

    wrong = {said("maker", "no such words at all") for _ in range(5)} | {
        said("nobody", "no such words at all")
    }
    assert len(wrong) == 1
    assert said("maker", PASSWORD) == wrong.pop()


def test_half_a_sign_in_opens_nothing(at: Opened) -> None:
    enrolled(at, "maker", "maker")
    client = browser(at)
    form = {"name": "maker", "password": PASSWORD, "form_token": token_of(client.get("/staff/sign-in").text)}
    client.post("/staff/sign-in", data=form)
    for path in ("/night", "/console", "/staff/password", "/staff/authenticator"):
        assert client.get(path).headers["location"] == "/staff/code", path


def test_pages_are_strict_about_what_they_load(at: Opened) -> None:
    client = member(at, "maker")
    for path in ("/night", "/console", "/console/worklist", "/staff/password"):
        page = client.get(path)
        policy = page.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert policy.startswith("default-src 'none'; script-src 'self'")
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["cache-control"] == "no-store"
        assert " style=" not in page.text
        assert " onclick" not in page.text


def test_a_body_over_its_bound_is_refused_before_it_is_read(at: Opened) -> None:
    client = member(at, "maker")
    assert client.post("/staff/sign-out", content=b"x" * 70_000).status_code == 413
    drip = (b"x" * 1000 for _ in range(200))
    kind = {"content-type": "application/x-www-form-urlencoded", "content-length": "10"}
    assert client.post("/staff/sign-out", content=drip, headers=kind).status_code in {400, 403, 413}


def test_nobody_has_a_file_read_who_may_not_bring_one(at: Opened) -> None:
    """Half a gigabyte of a stranger's would be in memory before anybody asked who they are."""
    large = {"files": ("statement.xml", b"x" * 200_000)}
    uploads = [page for page in at.console.pages if page.bytes_max > FORM_BYTES_MAX]
    assert {page.path for page in uploads} >= {"/console/import", "/console/payments/reports"}
    for client in (browser(at), member(at, "auditor")):
        for page in uploads:
            assert client.post(example(page.path), files=large).status_code == 413, page.path
    maker = member(at, "maker")
    for page in uploads:
        assert maker.post(example(page.path), files=large).status_code == 403, (
            page.path
        )  # read, and not from here


def test_htmx_is_the_file_that_was_published() -> None:
    static = files("settlement.console").joinpath("static")
    digest = hashlib.sha256(static.joinpath("htmx.min.js").read_bytes()).hexdigest()
    assert digest in static.joinpath("README.md").read_text(encoding="utf-8")
    assert "Permission to use" in static.joinpath("htmx.LICENSE").read_text(encoding="utf-8")


def test_an_administrator_sees_no_money_and_two_people_do_not_share_a_session(at: Opened) -> None:
    admin, maker = member(at, "administrator"), member(at, "maker")
    assert admin.get("/night").status_code == 403
    assert admin.get("/console").headers["location"] == "/console/accounts"
    again: TestClient = browser(at)
    signed_in(at, again, "maker")
    assert again.cookies["__Host-ksh-session"] != maker.cookies["__Host-ksh-session"]


def grown_old(at: Opened, client: TestClient) -> None:
    """Eleven minutes pass for this session, in which it was used."""
    digest = digest_of(client.cookies["__Host-ksh-session"])
    with at.desk.database.writing() as connection:
        connection.execute(
            sa.update(sessions)
            .where(sessions.c.digest == digest)
            .values(began_at=sessions.c.began_at - 660_000)
        )


def test_what_changes_how_people_get_in_wants_password_and_code_again_after_ten_minutes(at: Opened) -> None:
    client = member(at, "administrator")
    sensitive = {page.path for page in at.console.pages if page.fresh}
    assert {
        "/staff/password", "/staff/account/sessions", "/staff/account/authenticator", "/console/accounts",
        "/console/accounts/{name}/reset", "/console/accounts/{name}/roles", "/console/accounts/{name}/disable",
    } == sensitive  # fmt: skip
    token = token_of(client.get("/console/accounts").text)
    grown_old(at, client)
    for page in at.console.pages:
        if page.fresh:
            answer = client.request(page.method, example(page.path), data={"form_token": token})
            assert (answer.status_code, answer.headers["location"]) == (303, f"/staff/anew?back={page.fresh}")
    assert [one.name for one in at.desk.office.people()] == ["administrator"]
    shown = client.get("/staff/anew?back=/console/accounts")
    form = {"form_token": token_of(shown.text), "back": "/console/accounts", "password": PASSWORD}
    assert client.post("/staff/anew", data={**form, "code": "000000"}).status_code == 401
    done = client.post("/staff/anew", data={**form, "code": at.codes["administrator"].pop()})
    assert (done.status_code, done.headers["location"]) == (303, "/console/accounts")
    assert client.get("/console/accounts").status_code == 200


@pytest.mark.parametrize(
    "back", ["https://evil.test", "//evil.test", "/\\evil.test", "/staff/../x", "", "/console/a?b"]
)
def test_who_signs_in_anew_is_led_nowhere_but_to_pages_of_this_console(at: Opened, back: str) -> None:
    client = member(at, "maker")
    form = {"back": back, "password": PASSWORD, "code": at.codes["maker"].pop()}
    done = send(client, "/staff/anew", "/staff/anew", **form)
    assert (done.status_code, done.headers["location"]) == (303, "/console")


def test_somebody_sees_where_they_are_signed_in_and_ends_the_rest(at: Opened) -> None:
    client, lost = member(at, "maker"), member(at, "maker")
    page = client.get("/staff/account").text
    assert page.count("this one") == 1
    (other,) = re.findall(r'name="session" value="([0-9a-f]{64})"', page)
    assert send(client, "/staff/account/sessions", "/staff/account", session=other).status_code == 303
    assert lost.get("/night").headers["location"] == "/staff/sign-in"
    assert client.get("/night").status_code == 200


def test_another_authenticator_is_proved_by_its_first_code_at_the_console(at: Opened) -> None:
    client = member(at, "maker")
    page = client.get("/staff/account/authenticator").text
    (sealed,) = re.findall(r'name="sealed" value="([0-9a-f]+)"', page)
    (secret,) = re.findall(r'<code class="figures">([A-Z2-7]+)</code>', page)
    address = "/staff/account/authenticator"
    wrong = send(client, address, "/staff/account", sealed=sealed, code="000000")
    assert (wrong.status_code, secret in wrong.text) == (401, True)
    done = send(client, address, "/staff/account", sealed=sealed, code=pyotp.TOTP(secret).now())
    assert done.status_code == 200
    assert done.text.count("<li>") == 10
    assert client.get("/night").status_code == 200


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("127.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", "198.51.100.1, 203.0.113.9, 10.0.0.5", "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
    ],
)
def test_a_call_comes_from_where_our_own_proxies_say_and_nobody_else_is_believed(
    at: Opened, peer: str, forwarded: str, address: str
) -> None:
    app = FastAPI()
    app.include_router(router(at.console, frozenset({"10.0.0.5"})))
    client = TestClient(app, base_url=SITE, follow_redirects=False, client=(peer, 4711))
    token = token_of(client.get("/staff/sign-in").text)
    form = {"name": "nobody", "password": "not the one", "form_token": token}
    with cheaply():
        client.post("/staff/sign-in", data=form, headers={"X-Forwarded-For": forwarded})
    with at.desk.database.transaction() as connection:
        assert list(store.entries(connection))[-1].said.address == address
