"""`hebat settlement payments` and `rails`: one makes, another releases, the bank reports; all by name, all kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from hebat.demo.plan import BANK_JATENG, BNI
from hebat.demo.town import CONFIGURATION
from hebat.errors import InputRefused
from hebat.settlement_commands.app import settlement_app
from ledger.book import Ledger
from settlement.errors import ReleaseRefused, RuleRefused
from settlement.fees import qris_rates
from settlement.night.running import Night
from tests.hebat.settlement_desk import Shell, open_shell
from tests.settlement.reports import report
from tests.settlement.town import DAY, StoppedClock, Taps

if TYPE_CHECKING:
    from pathlib import Path

OPERATOR = next(iter(CONFIGURATION.participants.operators))
BANK = CONFIGURATION.participants.operators[OPERATOR].bank
"""An operator is paid by its own bank."""
FILE = ("--date", "2026-11-18", "--bank", BANK)
NAME = f"pain001-20261118-{BANK:04d}.xml"


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A city whose window of 18 November is settled."""
    opened = open_shell(tmp_path / "city")
    database, clock = opened.database(), StoppedClock()
    with Ledger.open(database, clock) as ledger:
        taps = Taps()
        for serial in range(1, 20):
            for issuer in (BNI, BANK_JATENG):
                taps.load(issuer, serial, 50_000, agent=next(iter(CONFIGURATION.participants.agents)))
                taps.fare(issuer, serial, 3_500, operator=OPERATOR)
        ledger.post(taps.made)
        clock.at = type(clock.at)(clock.at + 12 * 3_600_000)
        Night(ledger, CONFIGURATION.participants, qris_rates(), opened.folder.bank_out).settle(DAY)
    database.close()
    return opened


def refused(shell: Shell, *words: object) -> str:
    arguments = [*map(str, words), "--data", str(shell.folder.root)]
    done = CliRunner().invoke(settlement_app, arguments, catch_exceptions=False)
    assert done.exit_code == 2
    return done.output


def put(shell: Shell, name: str, content: bytes | dict[str, Any] | None) -> Path:
    path = shell.folder.root / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def files(shell: Shell) -> list[str]:
    out = shell.folder.bank_out
    return sorted(path.name for path in out.glob("*.*")) if out.exists() else []


def test_a_file_waits_is_made_released_and_reported_on(shell: Shell) -> None:
    assert {one["state"] for one in shell.told("payments", "list")} == {"waits for one who makes it"}
    assert "made by maker" in shell.ran("payments", "make", *FILE, "--by", "maker")
    assert files(shell) == []
    with pytest.raises(ReleaseRefused, match="another one must release it"):
        shell.ran("payments", "release", *FILE, "--by", "maker")
    said = shell.ran("payments", "release", *FILE, "--by", "checker")
    assert f"{NAME} is released by checker (made by maker)" in said
    assert files(shell) == [NAME]
    (payment, *_) = shell.told("payments", "show", *FILE)
    rejected = report(f"KSH-20261118-{BANK:04d}", {payment["reference"]: ("RJCT", "AC04")})
    assert "is rejected: AC04 says the bank" in shell.ran("payments", "status", put(shell, "r.xml", rejected))
    assert shell.told("payments", "list", "--rejected")[0]["reference"] == payment["reference"]
    listed = shell.ran("payments", "list")
    assert "released by checker" in listed
    assert "1 rejected" in listed
    assert "AC04" in shell.ran("payments", "show", *FILE)


def test_a_report_that_cannot_be_used_is_told_in_one_line_and_ends_with_2(shell: Shell) -> None:
    said = refused(shell, "payments", "status", put(shell, "r.xml", report("SOMEBODY", group="ACCP")))
    assert said == "r.xml is refused: message 'SOMEBODY' is none of ours\n"


def test_rails_are_shown_and_a_dated_row_changes_them_from_its_day_on(shell: Shell) -> None:
    assert "Rp2.900" in shell.ran("rails", "show", "--on", "2026-11-18")
    row = {
        "rail": "SKN", "from": "2027-01-01", "until": None, "over": "0", "at_most": "500000000", "fee": "2000",
        "opens": "06:30", "closes": "15:00", "bank_days_only": True,
    }  # fmt: skip
    who = ("--by", "maker", "--reason", "BI circular")
    assert "SKN from 2027-01-01 on: version 1" in shell.ran(
        "rails", "set", "--draft", put(shell, "d.json", row), *who
    )
    fees = {
        day: next(one["fee_sen"] for one in shell.told("rails", "show", "--on", day) if one["rail"] == "SKN")
        for day in ("2026-12-31", "2027-01-01")
    }
    assert fees == {"2026-12-31": 290_000, "2027-01-01": 200_000}
    with pytest.raises(RuleRefused, match="fee is 2000"):
        shell.ran("rails", "set", "--draft", put(shell, "d.json", row | {"fee": 2000}), *who)


def test_a_banks_own_table_is_kept_as_a_template_and_taken_back(shell: Shell) -> None:
    columns = [{"title": name, "value": name} for name in ("reference", "account", "amount")]
    who = ("--by", "maker", "--reason", "no ISO yet")
    said = shell.ran("payments", "template", BNI, "--draft", put(shell, "t.json", {"columns": columns}), *who)
    assert said == "Bank 0009 gets its own table (version 1).\n"
    said = shell.ran("payments", "template", BNI, "--draft", put(shell, "t.json", None), *who)
    assert said == "Bank 0009 gets pain.001.001.09 (version 2).\n"


def test_what_is_not_there_is_said(shell: Shell) -> None:
    with pytest.raises(InputRefused, match="nothing to pay"):
        shell.ran("payments", "show", "--date", "2026-11-17", "--bank", BNI)
    with pytest.raises(ReleaseRefused, match="has no payment file"):
        shell.ran("payments", "make", "--date", "2026-11-17", "--bank", BNI, "--by", "maker")
    with pytest.raises(InputRefused, match="there is no file"):
        shell.ran("payments", "status", "nowhere.xml")
    assert shell.ran("payments", "list", "--rejected") == "No payment is rejected.\n"
