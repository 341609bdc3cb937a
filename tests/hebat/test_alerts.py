"""Prometheus's own tool takes what `deploy/` gives it: the configuration, the metrics of a real server, each panel's expression; and each alert fires on what it is for, and on nothing else."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
import yaml

from tests.hebat.test_deploy import DEPLOY, dashboard, metrics_of_a_server, rules

if TYPE_CHECKING:
    from pathlib import Path

RULES: Final = DEPLOY / "prometheus" / "alerts.yml"
Series = dict[str, str]
"""By series, one value a minute, as promtool writes them: `0+5x60` begins with 0 and grows by 5 for 60 minutes, `_` is none."""


class Case(NamedTuple):
    """What Prometheus saw, when it looks (midnight UTC is 0m), and the labels of the alert that it gives; None: none."""

    what: str
    alert: str
    series: Series
    at: str
    labels: dict[str, str] | None = None


def calls(status: str, values: str, route: str = "/v1/batches") -> Series:
    return {f'ledger_http_calls_total{{method="POST",route="{route}",status="{status}"}}': values}


def commits(quick: str, slow: str) -> Series:
    """Commits of at most a quarter of a second, and of more; `slow` counts all of them, as histograms do."""
    return {
        f'ledger_commit_seconds_bucket{{le="{le}"}}': values
        for le, values in (("0.1", quick), ("0.25", quick), ("1.0", slow), ("+Inf", slow))
    }


HERE: Final = {"job": "hebat", "instance": "127.0.0.1:8460"}
UP: Final = 'up{job="hebat",instance="127.0.0.1:8460"}'
POSTED: Final = 'ledger_taps_total{result="posted"}'
FIRES: Final = [
    Case("no answer for two minutes", "LedgerDown", {UP: "1x3 0x5"}, "6m", HERE),
    Case("not ready for two minutes", "LedgerUnready", {"ledger_ready": "1x3 0x5"}, "6m", {}),
    Case("two callers a second sent away", "LedgerSheds", calls("429", "0+120x30"), "20m", {}),
    Case("one fault more of a route that had some", "LedgerFaults", calls("500", "3x30 4x30"), "35m", {}),
    Case("a route's very first fault", "LedgerFaults", calls("500", "_x30 1x30"), "33m", {}),
    Case("the database away", "LedgerFaults", calls("503", "_x30 1+1x30"), "40m", {}),
    Case("a commit of fifty that takes longer", "CommitsSlow", commits("0+98x60", "0+100x60"), "40m", {}),
    Case("orders that wait", "QueueGrows", {"ledger_queue_length": "5x5 1001x5"}, "8m", {}),
    Case("no tap from noon in Semarang on", "TapsStopped", {POSTED: "0+50x300 15000x60"}, "336m", {}),
    Case("no tap from six in the morning on", "TapsStopped", {POSTED: "9x1440"}, "1420m", {}),
    Case("eleven records kept in an hour", "QuarantineGrows", {"ledger_quarantine_open": "2x60 13x60"}, "90m", {}),
    Case("sixty exceptions in an hour", "ExceptionsGrow", {"ledger_exceptions": "0+1x120"}, "100m", {}),
    Case("a night that did not come", "NightMissing", {"ledger_last_checkpoint_seconds": "60x2000"}, "1820m", {}),
]  # fmt: skip
SILENT: Final = [
    Case("a scrape that failed once", "LedgerDown", {UP: "1x3 0 1x5"}, "5m"),
    Case("another program that is down", "LedgerDown", {'up{job="node"}': "0x9"}, "6m"),
    Case("ready", "LedgerUnready", {"ledger_ready": "1x9"}, "6m"),
    Case("a caller now and then sent away", "LedgerSheds", calls("429", "0+1x30"), "20m"),
    Case("a burst that was over at once", "LedgerSheds", calls("429", "0x9 500x30"), "12m"),
    Case("an old fault", "LedgerFaults", calls("500", "3x60"), "50m"),
    Case("refusals", "LedgerFaults", calls("422", "0+5x60"), "50m"),
    Case("commits within their time", "CommitsSlow", commits("0+100x60", "0+100x60"), "40m"),
    Case("a queue that is worked off", "QueueGrows", {"ledger_queue_length": "5x3 1001 4x5"}, "6m"),
    Case("taps at noon", "TapsStopped", {POSTED: "0+1x400"}, "336m"),
    Case("no tap at nine in the evening", "TapsStopped", {POSTED: "9x1000"}, "845m"),
    Case("no tap at three in the morning", "TapsStopped", {POSTED: "9x1300"}, "1205m"),
    Case("a few records kept", "QuarantineGrows", {"ledger_quarantine_open": "2x60 9x60"}, "90m"),
    Case("a few exceptions", "ExceptionsGrow", {"ledger_exceptions": "0x60 20x60"}, "100m"),
    Case("a night that is a little late", "NightMissing", {"ledger_last_checkpoint_seconds": "60x2000"}, "1780m"),
    Case("a city that closed no business date yet", "NightMissing", {"ledger_last_checkpoint_seconds": "0x2000"}, "1900m"),
]  # fmt: skip


@pytest.fixture(scope="module")
def promtool() -> str:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed")
    return program


def ran(program: str, *arguments: str | Path, told: str = "") -> tuple[int, str]:
    """How it ended, and all that it said."""
    done = subprocess.run(
        [program, *map(str, arguments)], input=told, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout + done.stderr


def written(folder: Path, case: Case, alerts: Path = RULES) -> Path:
    """A case in the words of `promtool test rules`."""
    (rule,) = (one for one in rules() if one["alert"] == case.alert)
    expected: dict[str, Any] = {"eval_time": case.at, "alertname": case.alert, "exp_alerts": []}
    if case.labels is not None:
        labels = case.labels | rule["labels"]
        expected["exp_alerts"].append({"exp_labels": labels, "exp_annotations": rule["annotations"]})
    series = [{"series": name, "values": values} for name, values in case.series.items()]
    test = {"interval": "1m", "input_series": series, "alert_rule_test": [expected]}
    file = folder / "case.yml"
    whole = {"rule_files": [str(alerts)], "evaluation_interval": "1m", "tests": [test]}
    file.write_text(yaml.safe_dump(whole), encoding="utf-8")
    return file


def test_prometheus_takes_its_configuration_with_the_rules(promtool: str) -> None:
    code, said = ran(promtool, "check", "config", "--lint-fatal", DEPLOY / "prometheus" / "prometheus.yml")
    assert (code, f"{len(rules())} rules found" in said) == (0, True), said


def test_the_metrics_of_a_server_are_well_formed_and_well_named(promtool: str, tmp_path: Path) -> None:
    shown = metrics_of_a_server(tmp_path)
    assert ran(promtool, "check", "metrics", told=shown) == (0, "")
    assert ran(promtool, "check", "metrics", told=shown.replace("_total", ""))[0] != 0, "it does look"


def test_each_panel_asks_in_prometheus_own_language(promtool: str, tmp_path: Path) -> None:
    asked = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    for expressions, expected in ((asked, 0), (["sum(rate(ledger_taps_total[5m])"], 1)):
        recorded = [{"record": f"panel:{number}", "expr": one} for number, one in enumerate(expressions)]
        file = tmp_path / "panels.yml"
        file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}), encoding="utf-8")
        code, said = ran(promtool, "check", "rules", file)
        assert code == expected, said
    assert len(asked) > 15


def test_each_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    names = {rule["alert"] for rule in rules()}
    assert {case.alert for case in FIRES} == names == {case.alert for case in SILENT}


@pytest.mark.parametrize(
    "case", [*FIRES, *SILENT], ids=lambda case: f"{case.alert}-{case.what.replace(' ', '-')}"
)
def test_an_alert_fires_on_what_it_is_for_and_on_nothing_else(
    promtool: str, tmp_path: Path, case: Case
) -> None:
    code, said = ran(promtool, "test", "rules", written(tmp_path, case))
    assert code == 0, said


def test_a_rule_with_another_threshold_is_found(promtool: str, tmp_path: Path) -> None:
    other = tmp_path / "alerts.yml"
    other.write_text(RULES.read_text(encoding="utf-8").replace("> 1000", "> 1100"), encoding="utf-8")
    (case,) = (one for one in FIRES if one.alert == "QueueGrows")
    code, said = ran(promtool, "test", "rules", written(tmp_path, case, other))
    assert (code, "FAILED" in said) == (1, True)
