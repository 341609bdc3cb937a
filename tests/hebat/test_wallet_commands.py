"""`hebat wallet` as a person types it: a file paid, money sent, a wallet frozen; mistakes are one line."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

import pytest

from hebat.cli import main
from hebat.folder import Folder
from hebat.schema import TABLES
from tests.empty import new_ledger

if TYPE_CHECKING:
    from pathlib import Path

SARI, BUDI = "9360000900000014", "9360000900000022"


def run(*arguments: str | Path, code: int = 0) -> str:
    out, error = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patched, redirect_stdout(out), redirect_stderr(error):
        patched.setattr(sys, "argv", ["hebat", "wallet", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
    assert (ended.value.code or 0) == code, error.getvalue()
    return out.getvalue() if code == 0 else error.getvalue()


def test_wallets_from_a_shell(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    new_ledger(folder.database_url, *TABLES).close()
    data = ("--data", tmp_path)
    aid, out = tmp_path / "aid.csv", tmp_path / "out.csv"
    aid.write_text(f"card,rupiah,text\n{SARI},50000,school\n{BUDI},x,school\n", encoding="utf-8")
    for _ in range(2):
        assert run("bulk", *data, "--file", aid, "--out", out, "--bank", "9").startswith(
            "1 of 2 lines paid, Rp50.000."
        )
    assert out.read_text(encoding="utf-8").splitlines()[1] == "2,paid,5000000,"
    assert "Rp40.000," in run("send", SARI, *data, "--to", BUDI, "--rupiah", "10000", "--reference", "R1")
    assert json.loads(run("open", SARI, *data, "--json"))["ceiling"] == 20_000_000
    assert "debits frozen" in run("freeze", SARI, *data)
    said = run("send", SARI, *data, "--to", BUDI, "--rupiah", "1", "--reference", "R2", code=2)
    assert said == "hebat: the wallet may not give it: debits frozen\n"
    assert "frozen" not in run("unfreeze", SARI, *data)
    assert "holds money" in run("close", SARI, *data, code=2)
    assert "cut off" in run("pay", SARI, *data, "--qr", "http://x", code=2)
    assert json.loads(run("show", BUDI, *data, "--json"))["sen"] == 1_000_000
