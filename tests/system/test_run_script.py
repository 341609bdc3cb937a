"""The script `run`: what it decides, what it says, and a whole small checkout that it sets up without any network."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[2]
DIGEST = "d" * 64

# A project that installs without any network: its own build backend writes the wheel.
BACKEND = """
import zipfile
def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "small-1.0-py3-none-any.whl"
    info = "small-1.0.dist-info/"
    with zipfile.ZipFile(wheel_directory + "/" + name, "w") as wheel:
        wheel.writestr("hebat_cli.py", "import sys\\ndef main(): print('hebat', *sys.argv[1:])\\n")
        wheel.writestr("ledger/__init__.py", "")
        wheel.writestr("ledger/warming.py", "def warm(): pass\\n")
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: small\\nVersion: 1.0\\n%s" % EXTRAS)
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "entry_points.txt", "[console_scripts]\\nhebat = hebat_cli:main\\n")
        wheel.writestr(info + "RECORD", "")
    return name
EXTRAS = "Provides-Extra: server\\nProvides-Extra: test\\n"
"""
PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small checkout with the real script, and a project that needs nothing from outside."""
    shutil.copy(ROOT / "run", tmp_path / "run")
    (tmp_path / "backend.py").write_text(BACKEND)
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "constraints.txt").write_text("")
    (tmp_path / "system-packages.txt").write_text("")
    return tmp_path


def run(checkout: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Call the script of a checkout as a person would, with an index that does not answer."""
    with begun(checkout, *arguments, **environment) as process:
        out, err = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def begun(checkout: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """The script at work."""
    nowhere = {
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_RETRIES": "1",
    }
    command = [sys.executable, str(checkout / "run"), *arguments]
    environment = {**os.environ, **nowhere, **environment}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def stamp_of(checkout: Path) -> dict[str, Any]:
    stamp: dict[str, Any] = json.loads((checkout / ".venv" / "run.json").read_text())
    return stamp


# What it decides


def test_each_command_has_the_extras_it_needs(run_script: Any) -> None:
    assert {run_script.extras_of(c) for c in ("demo", "serve", "--help")} == {frozenset({"server"})}
    assert {run_script.extras_of(c) for c in ("sbom", "audit")} == {frozenset({"server", "audit"})}
    assert {run_script.extras_of(c) for c in ("test", "check", "bench", "pin")} == {
        frozenset({"server", "test"})
    }


def stamp(script: Any, **changes: Any) -> Any:
    whole = script.Stamp(str(ROOT), "3.11", DIGEST, ("server", "test"), whole=True)
    return whole._replace(**changes)


def test_an_environment_with_more_than_is_wanted_is_ready(run_script: Any) -> None:
    decided = run_script.decide(stamp(run_script), "3.11", DIGEST, frozenset({"server"}))
    assert decided == ("ready", {"server", "test"})


def test_what_was_installed_stays_when_more_is_added(run_script: Any) -> None:
    decided = run_script.decide(stamp(run_script), "3.11", DIGEST, frozenset({"server", "hsm"}))
    assert decided == ("add", {"server", "test", "hsm"})


@pytest.mark.parametrize(
    ("changes", "python", "step"),
    [
        ({}, "3.11", "ready"),
        ({"digest": "e" * 64}, "3.11", "add"),  # a dependency changed
        ({"extras": ()}, "3.11", "add"),
        ({"whole": False}, "3.11", "make"),  # an installation was cut off
        ({"root": "/elsewhere"}, "3.11", "make"),  # the checkout was moved
        ({}, "3.12", "make"),  # the system's Python was upgraded
        ({}, "", "make"),  # its interpreter is gone
        ({}, "3.9", "make"),
    ],
)
def test_an_environment_is_used_completed_or_made_anew(
    run_script: Any, changes: dict[str, Any], python: str, step: str
) -> None:
    assert run_script.decide(stamp(run_script, **changes), python, DIGEST, frozenset({"server"}))[0] == step


@pytest.mark.parametrize("rest", [[], ["-x", "-q"], ["-k", "tears"]])
def test_the_whole_suite_runs_on_all_cores(run_script: Any, rest: list[str]) -> None:
    options = ["-n", str(os.cpu_count()), "--dist", "worksteal"]
    assert run_script.on_all_cores(rest) == (options if os.cpu_count() != 1 else [])


@pytest.mark.parametrize("rest", [["tests/keys"], ["tests/test_tidy.py::test_x"], ["-n4"], ["--pdb"]])
def test_named_tests_and_own_ways_run_as_they_are_asked_for(run_script: Any, rest: list[str]) -> None:
    assert run_script.on_all_cores(rest) == []


def test_python_keeps_what_it_compiled_whatever_the_shell_says(
    run_script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "PYTHONDONTWRITEBYTECODE" not in run_script.environment()


def test_files_of_tests_lie_in_memory_where_there_is_room_and_those_of_a_run_that_has_gone_are_taken_away(
    run_script: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(run_script, "MEMORY", tmp_path)
    (tmp_path / "ksh-4194305" / "left").mkdir(parents=True)  # more than a process's number can be
    monkeypatch.setattr(run_script, "MEMORY_MB_MIN", 1)
    folder = run_script.files_in_memory()
    assert folder == tmp_path / f"ksh-{os.getpid()}"
    assert [one.name for one in tmp_path.iterdir()] == [folder.name]
    folder.rmdir()
    monkeypatch.setattr(run_script, "MEMORY_MB_MIN", 1 << 40)
    assert run_script.files_in_memory() is None
    monkeypatch.setattr(run_script, "MEMORY_MB_MIN", 1)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert run_script.files_in_memory() is None


def test_an_environment_made_by_hand_is_added_to(run_script: Any) -> None:
    assert run_script.decide(None, "3.11", DIGEST, frozenset({"server"})) == ("add", {"server"})


@given(
    had=st.frozensets(st.sampled_from(["server", "test", "hsm", "reader"])),
    wanted=st.frozensets(st.sampled_from(["server", "test", "hsm", "reader"])),
)
def test_no_extra_is_ever_lost(run_script: Any, had: frozenset[str], wanted: frozenset[str]) -> None:
    step, extras = run_script.decide(stamp(run_script, extras=tuple(had)), "3.11", DIGEST, wanted)
    assert (step == "ready") == (wanted <= had)
    assert extras == had | wanted


def test_it_parses_under_a_python_too_old_to_run_it() -> None:
    """So that an old Python gets as far as the sentence which says that it is too old."""
    tree = ast.parse((ROOT / "run").read_text(), feature_version=(3, 9))
    assert {"Stop", "Stamp"} <= {node.name for node in tree.body if isinstance(node, ast.ClassDef)}


# What it says


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "disk is full",
        ),
        ("WARNING: Retrying after connection broken by 'NewConnectionError'", "index cannot be reached"),
        (
            "ERROR: No matching distribution found for numba==9.",
            "(No matching distribution found for numba==9)",
        ),
        ("", "no reason given"),
    ],
)
def test_a_failure_is_told_in_one_sentence(run_script: Any, said: str, sentence: str) -> None:
    assert sentence in run_script.reason_of(said)
    assert "\n" not in run_script.reason_of(said)


def test_without_arguments_it_tells_what_it_can_do_and_installs_nothing(checkout: Path) -> None:
    told = run(checkout)
    assert told.returncode == 0
    assert "./run demo" in told.stdout
    assert not (checkout / ".venv").exists()


def test_a_python_too_old_is_told_so(checkout: Path) -> None:
    old = "import runpy, sys; sys.version_info = (3, 10, 1); sys.argv = ['run', 'demo']; runpy.run_path({!r}, run_name='__main__')"
    command = [sys.executable, "-c", old.format(str(checkout / "run"))]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert told.stderr.startswith("Python 3.11 or newer is needed")
    assert not (checkout / ".venv").exists()


def test_a_missing_pip_is_told_with_its_package(checkout: Path) -> None:
    (checkout / "without" / "pip").mkdir(parents=True)
    (checkout / "without" / "pip" / "__init__.py").write_text("")  # a package of that name that is no program
    told = run(checkout, "demo", PYTHONPATH=str(checkout / "without"))
    assert told.returncode == 1
    assert told.stderr.strip() == (
        "pip is missing: install it (on Debian: apt-get install python3-pip) and run this again."
    )


def test_without_network_one_sentence_is_said_and_nothing_half_made_stays(checkout: Path) -> None:
    (checkout / "pyproject.toml").write_text(PYPROJECT.replace("[]", '["a-package-of-the-index"]'))
    told = run(checkout, "demo")
    assert told.returncode == 1
    assert told.stderr.splitlines()[-1].startswith("The package index cannot be reached")
    assert not (checkout / ".venv").exists()


# A checkout set up for real


def test_it_installs_once_and_passes_arguments_on(checkout: Path) -> None:
    first = run(checkout, "settle", "--day", "2026-01-05")
    assert first.stdout == "hebat settle --day 2026-01-05\n"
    assert "packages into .venv (server)" in first.stderr
    assert stamp_of(checkout)["extras"] == ["server"]
    second = run(checkout, "demo")
    assert (second.stdout, second.stderr) == ("hebat demo\n", "")


def test_the_engine_is_compiled_once_for_each_change_of_its_kernel(checkout: Path) -> None:
    assert "Compiling the ledger's kernels" in run(checkout, "demo").stderr
    assert run(checkout, "demo").stderr == ""
    (checkout / "ledger").mkdir()
    (checkout / "ledger" / "kernel.py").write_text("# changed")
    assert "Compiling the ledger's kernels" in run(checkout, "demo").stderr


def test_an_installation_that_was_cut_off_is_made_anew(checkout: Path) -> None:
    assert run(checkout, "demo").returncode == 0
    stamp_file = checkout / ".venv" / "run.json"
    stamp_file.write_text(json.dumps({**stamp_of(checkout), "whole": False}))
    (checkout / ".venv" / "bin" / "hebat").unlink()
    again = run(checkout, "demo")
    assert again.stdout == "hebat demo\n"
    assert "Making .venv" in again.stderr


def test_a_failed_addition_leaves_what_was_there(checkout: Path) -> None:
    assert run(checkout, "demo").returncode == 0
    before = stamp_of(checkout)
    (checkout / "pyproject.toml").write_text(PYPROJECT.replace("[]", '["a-package-of-the-index"]'))
    assert run(checkout, "demo").returncode == 1
    assert stamp_of(checkout) == before
    (checkout / "pyproject.toml").write_text(PYPROJECT)
    assert run(checkout, "demo").stdout == "hebat demo\n"


def test_two_at_once_wait_for_each_other(checkout: Path, run_script: Any) -> None:
    (checkout / "var").mkdir()
    holder = textwrap.dedent(f"""
        import fcntl, sys
        with open({str(checkout / "var" / "run.lock")!r}, "w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            print("held", flush=True)
            sys.stdin.read()
    """)
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", holder], **pipes) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with begun(checkout, "demo") as second:
            assert second.stderr is not None
            assert second.stderr.readline().startswith("Another ./run is setting up")
            assert second.poll() is None
            assert not (checkout / ".venv" / "run.json").exists()
            first.communicate("")
            assert second.communicate(timeout=60)[0] == "hebat demo\n"


# Debian packages


def test_every_line_of_the_package_list_has_its_parts(run_script: Any) -> None:
    needs = run_script.needs()
    assert {need.package for need in needs} >= {"chromium"}
    assert all(need.tests.startswith("tests/") and need.purpose for need in needs)


def test_a_missing_package_is_named_with_the_tests_that_need_it(checkout: Path) -> None:
    (checkout / "tests" / "browser").mkdir(parents=True)
    (checkout / "tests" / "browser" / "test_page.py").write_text("")
    (checkout / "system-packages.txt").write_text(
        "no-such-browser  no-such-browser  -  tests/browser  pages as people see them\n"
        "no-such-token    no-such-token    hsm  tests/token  keys in a token\n"  # no test needs this
    )
    told = run(checkout, "test", CI="true", PATH=str(Path(sys.executable).parent))
    assert told.returncode == 1
    assert (
        "tests/browser (pages as people see them): it needs the Debian package no-such-browser" in told.stderr
    )
    assert "In CI no test may be left out" in told.stderr
    assert "no-such-token" not in told.stderr


def test_pytest_leaves_out_what_needs_a_missing_package_and_says_its_name(checkout: Path) -> None:
    (checkout / "tests" / "browser").mkdir(parents=True)
    (checkout / "tests" / "browser" / "test_page.py").write_text(
        "def test_page() -> None:\n    assert False\n"
    )
    (checkout / "tests" / "test_other.py").write_text("def test_other() -> None:\n    assert True\n")
    for name in ("conftest.py", "shared_data.py", "*_once.py"):
        for one in (ROOT / "tests").glob(name):
            shutil.copy(one, checkout / "tests")
    shutil.copytree(
        ROOT / "tests" / "secrecy", checkout / "tests" / "secrecy", ignore=shutil.ignore_patterns("test_*")
    )
    (checkout / "system-packages.txt").write_text(
        "no-such-browser  no-such-browser  -  tests/browser  pages\n"
    )
    command = [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", "--import-mode=importlib"]
    beside = {**os.environ, "PYTHONPATH": str(ROOT)}  # what the copied conftest.py builds on
    told = subprocess.run(
        command, cwd=checkout, capture_output=True, text=True, timeout=60, check=False, env=beside
    )
    assert "1 passed, 1 skipped" in told.stdout
    assert "it needs the Debian package no-such-browser (pages)" in told.stdout


@pytest.mark.parametrize(("check", "test", "outcome"), [(0, 0, 0), (1, 0, 1), (0, 5, 1), (2, 2, 1)])
def test_ci_runs_both_and_passes_only_if_both_do(tmp_path: Path, check: int, test: int, outcome: int) -> None:
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", tmp_path / ".ci" / "run")
    script = f'#!/bin/sh\necho "ran $1"\n[ "$1" = check ] && exit {check}\nexit {test}\n'
    (tmp_path / "run").write_text(script)
    (tmp_path / "run").chmod(0o755)
    told = subprocess.run(["bash", ".ci/run"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == outcome
    assert told.stdout.splitlines()[:2] == ["ran check", "ran test"]
