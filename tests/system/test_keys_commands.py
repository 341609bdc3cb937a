"""`hebat keys` at a real pseudo-terminal: nothing secret is echoed, kept or shown, and the process leaves no image of itself."""

from __future__ import annotations

import json
from pathlib import Path

from keys.envelope import parse
from keys.filevault import FileVault
from keys.sealedfile import HUMAN_COST
from tests.keys.sealed import sealed_in
from tests.system.conftest import hebat
from tests.system.typist import PASSPHRASE, VALUES, Typist, give, shown


def test_a_ceremony_echoes_nothing_and_leaves_a_signed_record(tmp_path: Path) -> None:
    root = tmp_path / "city"
    typist = Typist("keys", "ceremony", "debit", "--data", root, cold=True)
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
    assert [(one.name, one.cost) for one in sealed_in(root)] == [("city.vault", HUMAN_COST)]
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
    people = ("--present", "Witness A", "--present", "Witness B", "--data", tmp_path)
    assert "version 2 is for new cards" in hebat("keys", "roll", "debit", *people).out
    alone = hebat("keys", "retire", "debit", "1", "--present", "Witness A", "--data", tmp_path)
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
    assert "type it at a terminal" in ran.err
