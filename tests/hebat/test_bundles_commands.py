"""`hebat bundles`: issue, list, show, block and unblock on a kept city, beside a server or without one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from hebat.bundles.commands import bundles_app
from hebat.errors import InputRefused
from hebat.folder import Folder
from ledger.errors import BlockRefused
from tests.ledger.desk import open_scene

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ledger.desk import Scene

TARIFF = {"name": "semarang-2027", "valid_from": "2027-01-01", "full_fare": 4_000, "concession_fare": 1_000}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    opened = open_scene(Folder(tmp_path / "city"), fresh=True)
    with opened.city:  # it holds the ledger's lease, as a server would
        yield opened


def ran(scene: Scene, *words: object) -> str:
    arguments = [str(word) for word in words]
    folder = str(scene.city.folder.root)
    done = CliRunner().invoke(bundles_app, [*arguments, "--data", folder], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def draft(scene: Scene, content: Any) -> Path:
    path = scene.city.folder.root / "draft.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_a_tariff_is_issued_from_a_draft_listed_and_shown(scene: Scene) -> None:
    assert ran(scene, "list") == "No bundle was issued yet.\n"
    said = ran(scene, "issue", "tariff", "--file", draft(scene, TARIFF))
    assert said.startswith("Issued tariff 1, full, for all terminals, from 2027-01-01 03:00, ")
    assert json.loads(ran(scene, "issue", "keys", "--json"))[0]["number"] == 1
    assert [one["kind"] for one in json.loads(ran(scene, "list", "--json"))] == ["keys", "tariff"]
    shown = json.loads(ran(scene, "show", "tariff", 1))
    says = shown["says"]
    assert (says["name"], says["valid_from"], says["format"]) == (TARIFF["name"], TARIFF["valid_from"], 2)
    assert ["ride-school", "pupil", "", 1_000, ""] in says["products"]
    assert says["transfers"] == [["ride", "ride", 0, "", -1, 7_200, 1]]
    assert says["policy"]["passback_minutes"] == 3


def test_limits_and_calendar_are_issued_from_drafts(scene: Scene) -> None:
    limits, holidays = (
        {"sale_max": 500_000, "load_max": 1_000_000},
        {"holidays": ["2026-12-25", "2027-01-01"]},
    )
    said = ran(scene, "issue", "limits", "--file", draft(scene, limits), "--audience", "merchant")
    assert "for merchant terminals" in said
    said = ran(scene, "issue", "calendar", "--file", draft(scene, holidays), "--from", "2026-12-01")
    assert "from 2026-12-01 03:00" in said
    assert json.loads(ran(scene, "show", "limits", 1))["says"] == limits
    ran(scene, "issue", "limits", "--file", draft(scene, limits | {"hotlist_hours_max": 24}))
    alone = {"hotlist_hours_max": 24, "offline_sum_max": 100_000_000, "offline_count_max": 100_000}
    assert json.loads(ran(scene, "show", "limits", 2))["says"] == limits | alone
    assert json.loads(ran(scene, "show", "calendar", 1))["says"] == holidays


def test_a_card_is_blocked_listed_and_unblocked_while_a_server_holds_the_ledger(scene: Scene) -> None:
    card = scene.card()
    number = card.identity.card_number
    assert "is blocked" in ran(scene, "block", number, "--reason", "lost on the bus")
    assert ran(scene, "blocked").startswith(f"{number}: lost on the bus, since ")
    assert json.loads(ran(scene, "blocked", "--json"))[0]["card"] == number
    assert "hotlist 1" in ran(scene, "issue", "hotlist")
    assert json.loads(ran(scene, "show", "hotlist", 1))["says"] == {"cards": 1, "uids": [f"{card.uid:014x}"]}
    assert "Nothing has changed" in ran(scene, "issue", "hotlist")
    with pytest.raises(BlockRefused, match="blocked already"):
        ran(scene, "block", number, "--reason", "again")
    assert "in use again" in ran(scene, "unblock", number)
    assert ran(scene, "blocked") == "No card is blocked.\n"
    with pytest.raises(InputRefused, match="no card 1 was issued here"):
        ran(scene, "block", 1, "--reason", "lost")


BAD: dict[str, tuple[str, Any, str]] = {
    "no JSON": ("tariff", "{", "it is no JSON"),
    "no object": ("tariff", [], "one JSON object"),
    "a field too few": ("limits", {"sale_max": 1}, "it must hold load_max, sale_max"),
    "a field too many": ("calendar", {"holidays": [], "day": 1}, "not day"),
    "a fare of text": ("tariff", TARIFF | {"full_fare": "4000"}, "full_fare must be a whole number"),
    "a fare of a fraction": ("tariff", TARIFF | {"full_fare": 4000.5}, "full_fare must be a whole number"),
    "no date": ("tariff", TARIFF | {"valid_from": "1 January"}, "no date such as"),
    "a long name": ("tariff", TARIFF | {"name": "x" * 49}, "at most 48 characters"),
    "a numbered name": ("tariff", TARIFF | {"name": "x#1"}, "no #"),
    "hours for ever": (
        "limits",
        {"sale_max": 1, "load_max": 1, "hotlist_hours_max": 2_161},
        "hotlist_hours_max must be a whole number from 0 to 2160",
    ),
    "a day's window": ("tariff", TARIFF | {"transfer_minutes": 1_441}, "from 0 to 1440"),
    "holidays of text": ("calendar", {"holidays": "2027-01-01"}, "a list of dates"),
    "more than fits": ("calendar", " " * 70_000, "at most 65536 bytes"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_draft_that_is_wrong_is_refused_by_its_field_and_uses_no_number(name: str, scene: Scene) -> None:
    kind, content, sentence = BAD[name]
    with pytest.raises(InputRefused, match=sentence):
        ran(scene, "issue", kind, "--file", draft(scene, content))
    assert scene.city.shelf.all() == []


def test_what_needs_a_draft_says_so_and_what_needs_none_takes_none(scene: Scene) -> None:
    with pytest.raises(InputRefused, match="needs a draft"):
        ran(scene, "issue", "limits")
    with pytest.raises(InputRefused, match="no draft and no class"):
        ran(scene, "issue", "hotlist", "--audience", "kiosk")
    with pytest.raises(InputRefused, match="no class of terminals 'driver'"):
        ran(scene, "issue", "keys", "--audience", "driver")
    with pytest.raises(InputRefused, match="cannot be read"):
        ran(scene, "issue", "limits", "--file", scene.city.folder.root / "none.json")
