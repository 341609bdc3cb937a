"""Work at the console: import, match, unmatch, comment, propose, approve, and what attackers write into names and texts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from hebat.demo.statements import Account, Movement, camt053
from keys.money import Sen
from settlement.breaks.proposals.kept import ProposalState
from settlement.console.acting import breaks_desk
from settlement.console.import_pages import plain_name
from settlement.staff import store
from settlement.view import view
from tests.settlement.at_desk import Opened, member, opened, send
from tests.settlement.town import DATE, DAY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.settlement.town import Stage

HOSTILE = "<script>alert('x')</script>"


def bni(stage: Stage) -> bytes:
    """BNI's statement of the night: one item paid wrongly, markup in a line of the bank's own."""
    night = view(stage.ledger.database, DAY)
    assert night is not None
    movements = [Movement(one.amount, one.reference, "", "") for one in night.items if one.bank == 9]
    movements[0] = Movement(Sen(movements[0].amount - 50), movements[0].reference, "", "B1")
    movements.append(Movement(Sen(700), "", HOSTILE, "B2"))
    return camt053(Account("BNI", "0099001122", DATE, 1, Sen(0), movements), "08")


@pytest.fixture
def at(stage: Stage, tmp_path: Path) -> Opened:
    """A console over a night with breaks."""
    made = opened(stage, tmp_path)
    stage.night.run(DAY)
    return made


def worked(at: Opened, stage: Stage) -> str:
    """The night again, with BNI's statement; the id of the break whose amount differs."""
    stage.put("bni.xml", bni(stage))
    stage.night.run(DAY)
    night = view(stage.ledger.database, DAY)
    assert night is not None
    return next(one.break_id for one in night.open_breaks if one.reason.value == "amount differs")


def actions(at: Opened) -> list[tuple[str, str]]:
    with at.desk.database.transaction() as connection:
        return [(entry.said.who, entry.said.action) for entry in store.entries(connection)]


def test_a_statement_is_imported_and_a_broken_one_is_kept_with_its_reason(at: Opened, stage: Stage) -> None:
    maker = member(at, "maker")
    content = bni(stage)
    files = [("files", ("../../etc/bni.xml", content)), ("files", ("bad\r\nname.sta", b"garbage"))]
    page = send(maker, "/console/import", files=files)
    assert page.status_code == 200
    assert re.search(r"accepted</span> bni\.xml", page.text)
    assert "refused" in page.text
    assert "etc/" not in page.text
    again = send(maker, "/console/import", files=[("files", ("other.xml", content))])
    assert "duplicate" in again.text
    assert actions(at).count(("maker", "statement taken in")) == 3
    assert member(at, "checker").post("/console/import").status_code == 403


@pytest.mark.parametrize("name", ["../../x", "..\\..\\x", "/etc/x", "a/b\0/x", "x\r\n", " x. "])
def test_a_files_name_is_never_a_path(name: str) -> None:
    assert plain_name(name) == "x"
    assert plain_name("../..") == "statement"


def test_an_entry_is_proposed_by_one_and_approved_by_another(at: Opened, stage: Stage) -> None:
    break_id = worked(at, stage)
    here = f"/console/breaks/{break_id}"
    maker, checker, both = member(at, "maker"), member(at, "checker"), member(at, "maker,checker", "both")
    assert send(maker, f"{here}/propose", here, why="the bank's fee").status_code == 303
    page = maker.get(here).text
    assert "somebody else approves it" in page
    number = re.search(r'name="proposal" value="(\d+)"', page)
    assert number is not None
    assert send(maker, f"{here}/approve", here, proposal=number[1]).status_code == 403
    assert send(maker, f"{here}/withdraw", here, proposal=number[1], why="wrong").status_code == 303
    assert send(both, f"{here}/propose", here, why="again").status_code == 303
    waiting = breaks_desk(at.desk).proposals(ProposalState.WAITING)
    assert [one.proposed_by for one in waiting] == ["both"]
    own = send(both, f"{here}/approve", here, proposal=str(waiting[0].number))
    assert own.status_code == 422
    assert breaks_desk(at.desk).proposals(ProposalState.WAITING) == waiting
    assert send(checker, f"{here}/approve", here, proposal=str(waiting[0].number)).status_code == 303
    done = breaks_desk(at.desk).proposal(waiting[0].number)
    assert (done.state, done.decided_by) == (ProposalState.APPROVED, "checker")
    assert done.position > 0
    told = actions(at)
    assert told.count(("checker", "entry approved")) == 1
    assert ("both", "entry approved") not in told, "what did not happen is not in the log"
    assert ("maker", "refused") in told


def test_a_line_is_unmatched_and_matched_again_by_hand(at: Opened, stage: Stage) -> None:
    worked(at, stage)
    night = view(stage.ledger.database, DAY)
    assert night is not None
    match = next(one for one in night.matches if len(one.items) == 1)
    line = match.lines[0]
    here = f"/console/lines/{line.sha256}/{line.statement}/{line.number}"
    maker, checker = member(at, "maker"), member(at, "checker")
    assert "Unmatch" in maker.get(here).text
    assert "Unmatch" not in checker.get(here).text
    assert send(maker, f"{here}/unmatch", here, why="a look").status_code == 303
    page = maker.get(here).text
    assert f'value="{match.items[0]}"' in page
    assert send(maker, f"{here}/match", here, reference=match.items[0], why="it is").status_code == 303
    assert "by hand" in maker.get(here).text
    assert {("maker", "match undone"), ("maker", "matched by hand")} <= set(actions(at))
    assert send(checker, f"{here}/unmatch", here, why="no").status_code == 403


def test_comments_owner_and_evidence_are_kept_and_shown_as_text(at: Opened, stage: Stage) -> None:
    break_id = worked(at, stage)
    here = f"/console/breaks/{break_id}"
    maker = member(at, "maker")
    assert send(maker, f"{here}/comment", here, text=HOSTILE).status_code == 303
    assert send(maker, f"{here}/owner", here, owner="me").status_code == 303
    evil = {"file": ("../<img src=x>.html", b"<script>1</script>")}
    assert send(maker, f"{here}/attach", here, files=evil).status_code == 303
    page = maker.get(here)
    assert "owned by maker" in page.text
    assert page.text.count("<script") == 2, "the page's own two"
    assert "<img" not in page.text
    link = re.search(rf'href="({here}/files/[0-9a-f]{{64}})"', page.text)
    assert link is not None
    file = maker.get(link[1])
    assert file.content == b"<script>1</script>"
    assert file.headers["content-disposition"].startswith("attachment")
    assert file.headers["content-type"] == "application/octet-stream"
    assert maker.get(link[1][:-1] + "x").status_code == 404


def test_bank_texts_are_text_in_every_list(at: Opened, stage: Stage) -> None:
    worked(at, stage)
    maker = member(at, "maker")
    night = view(stage.ledger.database, DAY)
    assert night is not None
    odd = next(one for one in night.open_breaks if HOSTILE in one.evidence)
    for path in ("/console/worklist", f"/console/breaks/{odd.break_id}", f"/console/lines/{odd.line.sha256}/{odd.line.statement}/{odd.line.number}"):  # fmt: skip
        page = maker.get(path).text
        assert "&lt;script&gt;" in page, path
        assert page.count("<script") == 2, path


def test_many_breaks_are_taken_and_given_back_at_once(at: Opened, stage: Stage) -> None:
    worked(at, stage)
    maker = member(at, "maker")
    chosen = re.findall(r'name="break_id" value="([^"]+)"', maker.get("/console/worklist").text)
    assert len(chosen) >= 2
    form = {"break_id": chosen, "act": "take"}
    assert send(maker, "/console/worklist/breaks", "/console/worklist", **form).status_code == 303
    assert {breaks_desk(at.desk).folder(one).found.owner for one in chosen} == {"maker"}
    form["act"] = "burn"
    assert send(maker, "/console/worklist/breaks", "/console/worklist", **form).status_code == 422


def test_pages_of_the_worklist_hold_each_piece_of_work_once(
    at: Opened, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked(at, stage)
    maker = member(at, "maker")
    whole = re.findall(r"BRK-[0-9a-f]{12}\" aria", maker.get("/console/worklist").text)
    for order in ("", "newest"):
        monkeypatch.setattr("settlement.console.worklist.ROWS", 1)
        monkeypatch.setattr("settlement.console.worklist.listed.__defaults__", (1,))
        seen: list[str] = []
        path = f"/console/worklist?order={order}"
        while path:
            page = maker.get(path).text
            seen += re.findall(r"BRK-[0-9a-f]{12}\" aria", page)
            following = re.search(r'rel="next" href="([^"]+)"', page)
            path = following[1].replace("&amp;", "&") if following else ""
        assert sorted(seen) == sorted(whole), order
    assert maker.get("/console/worklist?cursor=abc").status_code == 400
    assert maker.get("/console/worklist?source=zzz&bank=-1&reason=%27--").status_code == 200


def test_an_item_leads_to_its_transfers(at: Opened, stage: Stage) -> None:
    night = view(stage.ledger.database, DAY)
    assert night is not None
    page = member(at, "auditor").get(f"/console/items/{night.items[0].reference}")
    assert page.status_code == 200
    assert night.items[0].name in page.text
    assert "Behind it in the journal" in page.text


@pytest.mark.parametrize(
    "path",
    [
        "/console/lines/x/1/1", "/console/lines/" + "0" * 64 + "/99999999999999999999/1", "/console/items/KSH-x",
        "/console/items/'", "/console/taps/1/2/3", "/console/taps/-1/x/99999999999999999999999", "/console/breaks/BRK-x",
    ],
)  # fmt: skip
def test_what_is_not_there_is_said_so(at: Opened, path: str) -> None:
    assert member(at, "maker").get(path).status_code == 404


def test_an_administrator_makes_an_account_whose_first_password_is_shown_once(at: Opened) -> None:
    admin = member(at, "administrator")
    page = send(admin, "/console/accounts", "/console/accounts", name="newcomer", roles="maker")
    assert "shown this once" in page.text
    assert "shown this once" not in admin.get("/console/accounts").text
    bad = send(admin, "/console/accounts", "/console/accounts", name="newcomer", roles="maker,auditor")
    assert bad.status_code == 422
    assert send(admin, "/console/accounts/newcomer/disable", "/console/accounts").status_code == 303


def test_an_auditor_reads_the_log_and_verifies_it(at: Opened) -> None:
    auditor = member(at, "auditor")
    page = auditor.get("/console/log?verify=1").text
    assert "each chained to the one before" in page
    assert "signed in" in page
    assert auditor.get("/console/log?who=nobody&before=x").status_code == 200


def test_an_administrator_writes_down_how_somebody_proved_who_they_are_before_a_reset(at: Opened) -> None:
    member(at, "maker")
    client, page = member(at, "administrator"), "/console/accounts"
    for nothing in ("", "known"):
        refused = send(client, f"{page}/maker/reset", page, proof=nothing)
        assert (refused.status_code, "how they proved who they are" in refused.text) == (422, True)
    own = send(client, f"{page}/administrator/reset", page, proof="identity card shown to myself")
    assert (own.status_code, "nobody proves to themselves" in own.text) == (422, True)
    assert [one.enrolled for one in at.desk.office.people()] == [1, 1]
    done = send(client, f"{page}/maker/reset", page, proof=f"identity card shown, {HOSTILE}")
    assert "First password of <strong>maker</strong>" in done.text
    assert [(one.name, one.enrolled) for one in at.desk.office.people()] == [
        ("administrator", 1),
        ("maker", 0),
    ]
    seen = member(at, "auditor").get("/console/log?action=account+reset").text
    assert "identity card shown, &lt;script&gt;" in seen
