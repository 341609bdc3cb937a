"""What the software is made of, as a bill of materials; and what is known against it, from files."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hebat.cli import app
from hebat.errors import InputRefused
from hebat.supply.advisories import audit
from hebat.supply.bill import bill
from hebat.supply.installed import Package, installed

ROOT = Path(__file__).resolve().parents[2]
RUNNER = CliRunner()
YAML = """\
id: PYSEC-2021-66
affected:
- package: {name: Jinja2, ecosystem: PyPI}
  ranges:
  - type: ECOSYSTEM
    events: [{introduced: '0'}, {fixed: 2.11.3}, {introduced: '3.0'}, {last_affected: 3.0.2}]
  versions: ['2.0']
aliases: [CVE-2020-28493]
modified: '2021-03-22T16:34:00Z'
"""


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return bill(installed(["server"]))


def test_the_bill_has_every_package_of_the_server_with_its_version(made: dict[str, Any]) -> None:
    pinned = {
        line.partition("==")[0].replace("_", "-").lower(): line.partition("==")[2]
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
        if "==" in line
    }
    found = {one["name"]: one["version"] for one in made["components"]}
    assert {"sqlalchemy", "cryptography", "pydantic-core", "markupsafe"} <= set(found)
    assert {name: version for name, version in found.items() if pinned.get(name, version) != version} == {}
    assert not {"pytest", "mypy", "playwright"} & set(found)
    assert found["htmx.org"] in (ROOT / "settlement/console/static/README.md").read_text(encoding="utf-8")


def test_the_bill_is_cyclonedx_and_the_same_each_time(made: dict[str, Any]) -> None:
    """The members that the schema of CycloneDX 1.6 requires, and that references lead somewhere."""
    assert (made["bomFormat"], made["specVersion"], made["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", made["serialNumber"])
    components = [made["metadata"]["component"], *made["components"]]
    refs = [one["bom-ref"] for one in components]
    assert len(set(refs)) == len(refs)
    assert all(
        one["type"] in {"application", "library"} and one["name"] and one["purl"] for one in components
    )
    assert {one["ref"] for one in made["dependencies"]} == set(refs)
    assert {need for one in made["dependencies"] for need in one["dependsOn"]} <= set(refs)
    assert made == bill(installed(["server"]))


def test_every_package_of_the_bill_says_its_licence(made: dict[str, Any]) -> None:
    assert [one["name"] for one in made["components"] if "licenses" not in one] == []


def test_an_extra_that_is_none_is_refused() -> None:
    with pytest.raises(InputRefused, match="no extra 'servers'"):
        installed(["servers"])


@pytest.mark.parametrize(
    ("version", "named"),
    [("2.0", True), ("2.11.2", True), ("2.11.3", False), ("3.0.2", True), ("3.0.3", False), ("3.1.6", False)],
)
def test_an_advisory_names_the_versions_within_its_spans(
    tmp_path: Path, version: str, *, named: bool
) -> None:
    (tmp_path / "PYSEC-2021-66.yaml").write_text(YAML)
    found = audit([Package("pypi", "jinja2", version, "BSD")], tmp_path)
    assert (found.advisories, found.newest) == (1, "2021-03-22T16:34:00Z")
    assert [(one.advisory, one.aliases) for one in found.findings] == (
        [("PYSEC-2021-66", ("CVE-2020-28493",))] if named else []
    )


def test_the_command_ends_with_5_where_a_weakness_is_named_and_with_0_where_none_is(tmp_path: Path) -> None:
    told = {"id": "X-1", "modified": "2026-01-01T00:00:00Z", "affected": [
        {"package": {"name": "typer", "ecosystem": "PyPI"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]},
        {"package": {"name": "numpy", "ecosystem": "npm"}, "versions": ["1"]},
    ]}  # fmt: skip
    (tmp_path / "X-1.json").write_text(json.dumps(told))
    ran = RUNNER.invoke(app, ["audit", str(tmp_path)])
    assert (ran.exit_code, "X-1" in ran.stdout, "nothing mends it yet" in ran.stdout) == (5, True, True)
    (tmp_path / "X-1.json").write_text(json.dumps(told | {"withdrawn": "2026-02-01T00:00:00Z"}))
    ran = RUNNER.invoke(app, ["audit", str(tmp_path)])
    assert (ran.exit_code, "none is named" in ran.stdout) == (0, True)


@pytest.mark.parametrize("text", ["{", "[]", '{"name": 1}'])
def test_what_is_no_advisory_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "X-1.json").write_text(text)
    with pytest.raises(InputRefused, match=r"X-1\.json does not read as an advisory"):
        audit([], tmp_path)


def test_a_folder_without_advisories_is_no_clean_bill(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="holds no advisories"):
        audit([], tmp_path)


@pytest.mark.parametrize("command", [["sbom"], ["audit", "."]])
@pytest.mark.parametrize("missing", ["packaging", "yaml"])
def test_without_its_extra_a_command_says_what_to_install(
    command: list[str], missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)  # as where it is not installed
    ran = RUNNER.invoke(app, command)
    assert isinstance(ran.exception, InputRefused)
    assert "[server,audit]" in str(ran.exception)
