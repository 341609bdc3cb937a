"""What a start warms is all that real batches need: no tap waits for the compiler."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.empty import new_database

if TYPE_CHECKING:
    from pathlib import Path

TAKES_BATCHES = """
import json, sys, tempfile
from contextlib import ExitStack
from pathlib import Path
from ledger.warming import warm
warm()

def kinds():
    return {
        (function.__module__, function.__name__, str(one))
        for module in list(sys.modules.values()) if module.__name__.split(".")[0] in {"ledger", "keys"}
        for function in vars(module).values() if hasattr(function, "overloads")
        for one in function.signatures
    }

before = kinds()
from card.layout import Concession, TapKind
from hebat.folder import Folder
from tests.ledger.desk import open_scene
with ExitStack() as stack:
    root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    scene = open_scene(Folder(root / "city", sys.argv[1]), fresh=True)
    with scene.city:
        pupil, other = scene.card(Concession.PUPIL, 50_000), scene.card(loaded=50_000)
        desk = scene.desk()
        for number in (1, 2):
            desk.tap(pupil, TapKind.FARE, 1_000, rules=("concession:pupil",))
            if number > 1:
                desk.tap(other, TapKind.FARE, 3_500)
            answer = desk.send()
            assert {one["result"] for one in answer.results} == {"posted"}, answer.results
print(json.dumps(sorted(kinds() - before)))
"""


def test_no_batch_and_no_commit_needs_a_kernel_that_is_not_warm(postgres: Path) -> None:
    command = [sys.executable, "-c", TAKES_BATCHES, new_database(postgres, empty=True)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr[-2000:]
    assert json.loads(said.stdout.splitlines()[-1]) == []
