"""`hebat keys` at a real pseudo-terminal: nothing secret is echoed, kept or shown, and the process leaves no image of itself."""

from __future__ import annotations

import base64
import json
import os
import pty
import select
import sys
import time
from pathlib import Path

from keys.envelope import parse
from keys.filevault import FileVault
from keys.softkey import check_value
from tests.system.conftest import ROOT, hebat

WAIT_S = 60
PASSPHRASE = "correct horse battery staple"
VALUES = [bytes(range(at, at + 16)) for at in (0x31, 0x52, 0x73)]


class Typist:
    """Somebody at a terminal of their own, who answers what is asked."""

    def __init__(self, *arguments: str | Path) -> None:
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            os.execv(sys.executable, [sys.executable, "-m", "hebat.cli", *map(str, arguments)])
        self.seen = b""
        self._from = 0

    def answer(self, asked: str, text: str) -> None:
        self.until(asked)
        os.write(self._terminal, text.encode() + b"\n")

    def until(self, asked: str) -> None:
        deadline = time.monotonic() + WAIT_S
        while asked.encode() not in self.seen[self._from :]:
            assert time.monotonic() < deadline, self.seen
            assert self._read(), (asked, self.seen)
        self._from = self.seen.index(asked.encode(), self._from) + len(asked)
        time.sleep(
            0.05
        )  # the prompt stands before the echo is off only where the program is wrong: give it the chance

    def _read(self) -> bool:
        try:
            ready = select.select([self._terminal], [], [], 1.0)[0]
            data = os.read(self._terminal, 65_536) if ready else b" "
        except OSError:  # the other side has gone
            return False
        self.seen += data if ready else b""
        return bool(data)

    def end(self) -> int:
        while self._read():
            pass
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def shown(secrets: list[bytes], data: bytes) -> list[bytes]:
    """The secrets that stand in some bytes, raw, in hexadecimal or in base64."""
    lowered = data.lower()
    return [
        one
        for one in secrets
        if one in data or one.hex().encode() in lowered or base64.b64encode(one).rstrip(b"=") in data
    ]


def give(typist: Typist, number: int, check: str = "") -> None:
    value = VALUES[number]
    typist.answer("Custodian", f"custodian {number}")
    typist.answer("Second person", "Sari")
    typist.answer("hexadecimal digits): ", value.hex())
    typist.answer("Its check value", check or check_value(value).hex())


def test_a_ceremony_echoes_nothing_and_leaves_a_signed_record(tmp_path: Path) -> None:
    root = tmp_path / "city"
    typist = Typist("keys", "ceremony", "debit", "--data", root)
    typist.answer("Passphrase of the vault: ", PASSPHRASE)
    typist.answer("The same again: ", PASSPHRASE)
    arguments = Path(f"/proc/{typist.pid}/cmdline").read_bytes()
    typist.until("Custodian")
    limits = Path(f"/proc/{typist.pid}/limits").read_text(encoding="utf-8")
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    typist._from -= len("Custodian")
    give(typist, 0, "0000000000")
    typist.until("enter it again")
    for number in range(3):
        give(typist, number)
    assert typist.end() == 0, typist.seen
    vault = FileVault.open(root / "city.vault", PASSPHRASE)
    secrets = [*VALUES, *vault._values.values(), PASSPHRASE.encode()]
    files = [path for path in root.rglob("*") if path.is_file()]
    assert shown(secrets, typist.seen + arguments) == []
    assert {path.name: shown(secrets, path.read_bytes()) for path in files} == {
        path.name: [] for path in files
    }
    assert typist.seen.count(b"\x1b[2J") >= 6  # the screen is wiped before and after each custodian
    (kept,) = (root / "key-records").iterdir()
    told = json.loads(parse(kept.read_bytes()).verify(vault.public_key("terminal-authority")))
    assert told["custodians"] == ["custodian 0", "custodian 1", "custodian 2"]
    assert told["check_value"] == vault.contents()[0].check_value.hex()
    assert told["digest"] == vault.record().digest.hex()


def test_keys_are_listed_rolled_retired_backed_up_and_restored(tmp_path: Path) -> None:
    vault = FileVault.create(tmp_path / "city.vault", PASSPHRASE, 16)
    vault.generate_signing_key("terminal-authority")
    from keys.vault import Role  # noqa: PLC0415

    vault.add_master(Role.DEBIT, 1, VALUES[0])
    (tmp_path / "city.passphrase").write_text(PASSPHRASE, encoding="utf-8")
    people = ("--present", "Sari", "--present", "Budi", "--data", tmp_path)
    assert "version 2 is for new cards" in hebat("keys", "roll", "debit", *people).out
    alone = hebat("keys", "retire", "debit", "1", "--present", "Sari", "--data", tmp_path)
    assert (alone.code, "two people" in alone.err) == (2, True)
    assert "in use: 2" in hebat("keys", "retire", "debit", "1", *people).out
    listed = hebat("keys", "list", "--json", "--data", tmp_path)
    assert [(one["version"], one["retired"] is None) for one in json.loads(listed.out)][:2] == [
        (1, False),
        (2, True),
    ]
    saved = Typist("keys", "backup", tmp_path / "backup", "--data", tmp_path)
    saved.answer("first is alone: ", "")
    papers = []
    for _ in range(5):
        saved.answer("when it is written: ", "")
        lines = saved.seen.decode().replace("\r", "").split("\n\n")
        papers.append(next(part for part in reversed(lines) if part.count(" ") == 10 and ":" not in part))
    assert saved.end() == 0
    assert len(set(papers)) == 5
    again = Typist("keys", "restore", tmp_path / "backup", "--data", tmp_path / "new")
    for paper in papers[1:4]:
        again.answer("custodian's share: ", paper)
    again.answer("Passphrase of the vault: ", PASSPHRASE)
    again.answer("The same again: ", PASSPHRASE)
    assert again.end() == 0, again.seen
    assert not any(paper.encode() in again.seen for paper in papers)
    restored = FileVault.open(tmp_path / "new" / "city.vault", PASSPHRASE)
    restored.check_against(FileVault.open(tmp_path / "city.vault", PASSPHRASE).record())


def test_a_secret_is_not_taken_from_a_pipe(tmp_path: Path) -> None:
    FileVault.create(tmp_path / "city.vault", PASSPHRASE, 16)
    ran = hebat("keys", "list", "--data", tmp_path)
    assert ran.code == 2
    assert "typed at a terminal" in ran.err
