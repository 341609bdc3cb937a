"""What a holder reports is in the staff's worklist and list at once, is answered beside the running server, and read by its number."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from hebat.cli import app
from ledger.cardholder.disputes import Outcome, Reason
from ledger.errors import DisputeRefused
from settlement.console.store import Filters, Source, page

if TYPE_CHECKING:
    from typing import Any

    from tests.cardholder.town import Town


def listed(town: Town, *options: str) -> list[dict[str, Any]]:
    ran = CliRunner().invoke(
        app, ["card", "reports", "--data", str(town.city.folder.root), "--json", *options]
    )
    assert ran.exit_code == 0, ran.output
    found: list[dict[str, Any]] = json.loads(ran.stdout)
    return found


def in_worklist(town: Town, uid: int, *, closed: bool = False) -> list[str]:
    """The reasons of a card's reports in the console's worklist."""
    with town.city.ledger.database.transaction() as connection:
        found = page(connection, Filters(Source.DISPUTE, closed=closed), None, 100)
    return [one.reason for one in found if str(uid) in one.reference]


def test_a_report_is_worked_by_staff_while_the_server_runs(town: Town) -> None:
    card, disputes = town.card(), town.city.cardholders.disputes
    known = town.known(card)
    number = disputes.open(known, 2, Reason.TWICE, "Dua kali")
    assert in_worklist(town, card.uid) == ["twice"]
    (mine,) = [one for one in listed(town) if one["card"].replace(" ", "") == str(known.card_number)]
    assert (mine["words"], mine["tap"], mine["state"]) == ("Dua kali", 2, "open")
    answer = [
        "card",
        "answer",
        mine["reference"],
        "--data",
        str(town.city.folder.root),
        "--outcome",
        "upheld",
        "--text",
    ]
    ran = CliRunner().invoke(app, [*answer, "Rp3.500 dikembalikan", "--by", "sari"])
    assert ran.exit_code == 0, ran.output
    assert "Rp3.500 dikembalikan" in town.holder().get(f"/d/{number}").text
    assert mine["reference"] not in [one["reference"] for one in listed(town)]
    assert mine["reference"] in [
        one["reference"] for one in listed(town, "--all") if one["answered_by"] == "sari"
    ]
    assert in_worklist(town, card.uid) == []
    again = CliRunner().invoke(app, [*answer, "no", "--by", "budi"])
    assert isinstance(again.exception, DisputeRefused)


def test_of_two_who_answer_at_once_one_is_heard(town: Town) -> None:
    disputes, known = town.city.cardholders.disputes, town.known(town.card())
    disputes.open(known, 2, Reason.OTHER, "")
    (report,) = disputes.of(known)

    def answered(who: str) -> str:
        try:
            return disputes.answer(report.reference, Outcome.REFUSED, f"by {who}", who).answered_by
        except DisputeRefused as refusal:
            return str(refusal)

    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(answered, ("ani", "budi", "cici", "dewi")))
    (report,) = disputes.of(known)
    assert [one for one in said if "answered already" not in one] == [report.answered_by]
    assert report.answer == f"by {report.answered_by}"


def test_an_answer_says_something_and_not_too_much(town: Town) -> None:
    for text in ("", "   ", "x" * 1001):
        with pytest.raises(DisputeRefused, match="1 to 1000 characters"):
            town.city.cardholders.disputes.answer("0" * 12, Outcome.UPHELD, text, "sari")
