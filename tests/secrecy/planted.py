"""Tests that let a secret out, each through one channel, and some that do not: run by test_secrecy.py in a pytest of their own."""

from __future__ import annotations

import base64
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from card.ev2 import SessionKeys
from keys.backup import make
from keys.ceremony import Component
from keys.device import TerminalIdentity, device_secret
from keys.filevault import FileVault
from keys.softkey import SoftKey, random_key
from keys.vault import KeyName, Purpose

ROOT = Path(__file__).parents[2]
PASSPHRASE = "a passphrase of this run"


def say(text: str) -> bool:
    return sys.stdout.write(text + "\n") > 0


def fresh() -> bytes:
    value = random_key()
    SoftKey(value, 1)
    return value


def test_print() -> None:
    assert say(fresh().hex())


def test_print_in_groups() -> None:
    assert say(fresh().hex(" ").upper())


def test_log() -> None:
    value = fresh()
    logging.getLogger("x").warning("key %s", value.hex())
    assert len(value) == 16


def test_capsys(capsys: pytest.CaptureFixture[str]) -> None:
    assert say(fresh().hex().upper())
    capsys.readouterr()


def test_capfd_of_a_process(capfd: pytest.CaptureFixture[str]) -> None:
    assert subprocess.run([sys.executable, "-c", f"print({fresh().hex()!r})"], check=True).returncode == 0
    capfd.readouterr()


def test_command() -> None:
    app = typer.Typer()

    @app.command()
    def say() -> None:
        typer.echo(base64.b64encode(b"x" + fresh()))

    assert CliRunner().invoke(app).exit_code == 0


def test_process_run() -> None:
    said = base64.urlsafe_b64encode(b"xx" + fresh()).decode()
    assert (
        subprocess.run([sys.executable, "-c", f"print({said!r})"], capture_output=True, check=True).returncode
        == 0
    )


def test_process_line_by_line() -> None:
    command = [sys.executable, "-c", f"import sys; print({fresh().hex()!r}, file=sys.stderr)"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert len(list(process.stderr)) == 1


def test_made_and_printed_by_a_child() -> None:
    program = "from keys.softkey import random_key; print(random_key().hex())"
    assert (
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True).returncode
        == 0
    )


def test_file_raw(tmp_path: Path) -> None:
    assert (tmp_path / "kept").write_bytes(b"before" + fresh() + b"behind") > 0


def test_file_far_in(tmp_path: Path) -> None:
    assert (tmp_path / "kept").write_bytes(bytes((4 << 20) - 8) + fresh() + bytes(99)) > 0


@pytest.mark.parametrize("before", range(3))
def test_file_base64(tmp_path: Path, before: int) -> None:
    assert (tmp_path / "kept").write_bytes(base64.encodebytes(b"y" * (50 + before) + fresh() + b"z" * 20)) > 0


def test_file_of_a_child_that_was_killed(tmp_path: Path) -> None:
    program = (
        "import os; from pathlib import Path; from keys.softkey import random_key;"
        f"Path({str(tmp_path / 'kept')!r}).write_bytes(random_key()); os.kill(os.getpid(), 9)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == -9


def test_file_of_a_fork(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        (tmp_path / "kept").write_bytes(fresh())
        os._exit(0)
    assert os.waitpid(child, 0)[0] == child


def test_failure() -> None:
    assert fresh().hex() == ""


def test_vault_key(tmp_path: Path) -> None:
    vault = FileVault.create(tmp_path / "v", PASSPHRASE, 16)
    vault.generate_key(KeyName("debit", 1), Purpose.CARD)
    vault.generate_signing_key("ledger")
    for value in vault._values.values():
        assert say(value.hex())


def test_passphrase(tmp_path: Path) -> None:
    FileVault.create(tmp_path / "v", PASSPHRASE, 16)
    assert say(f"opened with {PASSPHRASE}")


def test_component() -> None:
    assert say(Component.drawn("A").combined(bytes(16)).hex())


def test_share(tmp_path: Path) -> None:
    vault = FileVault.create(tmp_path / "v", PASSPHRASE, 16)
    assert say(make(vault)[1][0].text)


def test_session_key() -> None:
    assert say(SessionKeys(os.urandom(16), os.urandom(16)).enc.hex())


def test_terminal(tmp_path: Path) -> None:
    secret = device_secret(tmp_path / "elsewhere")
    assert say(TerminalIdentity(tmp_path / "t", secret)._key.private_bytes_raw().hex())


def test_nothing_is_said(tmp_path: Path) -> None:
    assert say(fresh()[:7].hex() + bytes(16).hex() + bytes(range(16)).hex())
    vector = "f3f9377698707b688eaf84abe39e3791"
    assert say(f"published: {vector} {SoftKey(bytes.fromhex(vector), 1)}")
    FileVault.create(tmp_path / "v", PASSPHRASE, 16).generate_key(KeyName("debit", 1), Purpose.CARD)
    device_secret(tmp_path / "t.secret")
