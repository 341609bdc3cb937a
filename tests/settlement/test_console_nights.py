"""The night's page: what staff see, safely, without scripts."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from hebat.demo.statements import Account, Movement, camt053
from keys.clock import Day
from keys.money import Sen
from settlement.statements.reading import digest
from settlement.view import view
from tests.settlement.at_desk import member, opened
from tests.settlement.town import DATE, DAY

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi.testclient import TestClient

    from tests.settlement.town import Stage

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
def site(stage: Stage, tmp_path: Path) -> TestClient:
    return member(opened(stage, tmp_path), "checker")


def night_with_a_break(stage: Stage) -> bytes:
    """A night on which BNI paid one item wrongly, and wrote markup into a line of its own."""
    stage.night.run(DAY)
    night = view(stage.ledger.database, DAY)
    assert night is not None
    movements = [Movement(one.amount, one.reference, "", "") for one in night.items if one.bank == 9]
    movements[0] = Movement(Sen(movements[0].amount - 50), movements[0].reference, "", "B1")
    movements.append(Movement(Sen(700), "", HOSTILE, "B2"))
    content = camt053(Account("BNI", "0099001122", DATE, 1, Sen(0), movements), "08")
    stage.put("bni.xml", content)
    stage.put("broken.sta", b"garbage")
    stage.night.run(DAY)
    return content


def test_the_page_shows_positions_files_matches_and_breaks_with_their_reasons(
    stage: Stage, site: TestClient
) -> None:
    night_with_a_break(stage)
    page = site.get("/night/2026-11-18")
    assert page.status_code == 200
    for text in (
        "Wednesday, 18 November 2026", "BLU Trans Semarang", "pain001-20261118-0009.xml", "amount differs", "Rp0,50",
        "reference and amount", "unexpected on statement", "it is no XML and no MT940", "is the movement of the statements",
    ):  # fmt: skip
        assert text in page.text


class Tags(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


def test_what_a_bank_writes_is_text_and_never_markup(stage: Stage, site: TestClient) -> None:
    night_with_a_break(stage)
    page = site.get("/night/2026-11-18")
    seen = Tags()
    seen.feed(page.text)
    assert "&lt;script&gt;" in page.text
    assert page.text.count("<script") == 2, "the page's own two"
    assert [name for name, _ in seen.attributes if name == "style" or name.startswith("on")] == []
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"


def test_every_link_on_the_page_leads_somewhere(stage: Stage, site: TestClient) -> None:
    night_with_a_break(stage)
    seen = Tags()
    seen.feed(site.get("/night/2026-11-18").text)
    ids = {value for name, value in seen.attributes if name == "id"}
    links = {value for name, value in seen.attributes if name == "href" and "/exports/" not in value}
    assert {link[1:] for link in links if link.startswith("#")} <= ids
    assert {link: site.get(link).status_code for link in links if link.startswith("/")} == {
        link: 200 for link in links if link.startswith("/")
    }


def test_each_list_of_a_night_is_paged_and_holds_everything_once(
    stage: Stage, site: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    night_with_a_break(stage)
    night = view(stage.ledger.database, DAY)
    assert night is not None
    monkeypatch.setattr("settlement.console.nights.ROWS", 2)
    whole = {
        "breaks": ([one.break_id for one in night.breaks], r'href="/console/breaks/([^"]+)"'),
        "items": ([one.reference for one in night.items], r'<tr id="(KSH-[^"]+)"'),
        "positions": ([str(one.number) for one in night.positions], r'<span class="sub">(\d+)</span></td>'),
    }
    for name, (expected, pattern) in whole.items():
        assert len(expected) > 2
        seen: list[str] = []
        path = "/night/2026-11-18"
        while path:
            page = site.get(path).text
            seen += re.findall(pattern, page)
            following = re.search(rf'href="([^"]+\?{name}=[^"#]+)#{name}"', page)
            path = following[1] if following else ""
        assert sorted(seen) == sorted(expected), name
    assert site.get("/night/2026-11-18?items=abc").status_code == 422


def test_files_come_out_byte_for_byte(stage: Stage, site: TestClient) -> None:
    content = night_with_a_break(stage)
    early = site.get("/night/2026-11-18/files/9")
    assert (
        early.headers["content-disposition"] == 'attachment; filename="UNRELEASED-pain001-20261118-0009.xml"'
    )
    stage.release()
    assert site.get(f"/night/statements/{digest(content)}").content == content
    sent = site.get("/night/2026-11-18/files/9")
    assert sent.content == (stage.out / "pain001-20261118-0009.xml").read_bytes()
    assert sent.headers["content-disposition"] == 'attachment; filename="pain001-20261118-0009.xml"'


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/night", 200),
        ("/night/2026-11-19", 404),
        ("/night/2026-11-18/files/777", 404),
        ("/night/statements/" + "0" * 64, 404),
        ("/night/statements/..%2f..%2fetc%2fpasswd", 404),
        ("/night/tomorrow", 404),
        ("/night/2026-11-18/files/x", 404),
        ("/console/static/console.css", 200),
        ("/console/static/../web.py", 404),
    ],
)
def test_what_is_not_there_is_said_to_be_not_there(
    stage: Stage, site: TestClient, path: str, status: int
) -> None:
    stage.night.run(DAY)
    assert site.get(path).status_code == status


def test_an_empty_night_has_a_page(stage: Stage, site: TestClient) -> None:
    stage.night.run(DAY)
    stage.night.run(Day(DAY + 1))
    page = site.get("/night/2026-11-19")
    assert "Nothing was tapped, sold or loaded in this window." in page.text
    assert "No bank has anything to pay." in page.text
