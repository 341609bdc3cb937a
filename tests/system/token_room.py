"""A key room over a token, in a process that loads no PKCS#11 module itself: each command is a fork of it, so that a kill hits that command alone.

One JSON line in, one out: {"conf", "data", "words", "at", "after"} is a command, killed where `at` names a step; {"conf", "data", "look"} tells what is there.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hebat.cli import app
from hebat.folder import Folder
from hebat.founding import AUTHORITY_LABEL
from hebat.keyroom import records
from hebat.vaults import LedgerWitness, Token, city_vault, note_token, open_token
from keys.citytoken import CityToken
from keys.envelope import parse
from keys.hsmvault import HsmVault
from keys.tokenstate import TokenState
from keys.vault import KeyName, Purpose, Role
from ledger.vaults.memory import VaultMemory

if TYPE_CHECKING:
    from collections.abc import Callable

OWNERS: dict[str, Any] = {
    "records": records,
    "token": TokenState,
    "hsm": HsmVault,
    "city": CityToken,
    "ledger": VaultMemory,
}


def founded(order: dict[str, Any]) -> None:
    """A city on a token, with a transport key and two versions of load and debit."""
    folder = Folder(Path(order["data"]))
    folder.make()
    token = Token(order["module"], order["label"])
    note_token(folder, token)
    with open_token(folder, token, os.environ["HEBAT_TOKEN_PIN"], new=True) as vault:
        vault.add_key(KeyName("transport", 1), Purpose.TRANSPORT, os.urandom(16))
    app(["keys", "found", "--draw", "--data", str(folder.root)], standalone_mode=False)
    os.environ["HEBAT_TOKEN_PIN"] = order["pin"]
    held = city_vault(folder)
    for role in (Role.LOAD, Role.DEBIT):
        held.generate_key(KeyName(role.value, 2), Purpose.CARD)
    held.close()


def command(order: dict[str, Any]) -> None:
    """A command of the key room, killed at a step where one is named."""
    if order["at"]:
        _killing(*order["at"].split("."), after=order["after"])
    app([*order["words"], "--data", order["data"]], standalone_mode=False)


def _killing(owner: str, name: str, *, after: bool) -> None:
    real = getattr(OWNERS[owner], name)

    def dies(*given: Any, **named: Any) -> Any:
        if after:
            real(*given, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(OWNERS[owner], name, dies)


def look(order: dict[str, Any]) -> None:
    """What vault, hand-out file, ledger and records say; signatures checked."""
    folder = Folder(Path(order["data"]))
    with open_token(folder, Token(order["module"], order["label"]), order["pin"]) as vault:
        assert isinstance(vault, CityToken)
        public, state = vault.public_key(AUTHORITY_LABEL), vault.record()
        paths = sorted((folder.root / "key-records").iterdir())
        told = {
            "held": [
                [one.label, one.version, one.check_value.hex(), one.retired is None]
                for one in vault.contents()
            ],
            "handout": [
                [one.label, one.version, one.check_value.hex(), one.retired is None]
                for one in vault._file().contents()
            ],
            "state": [state.generation, state.digest.hex()],
            "noted": [
                LedgerWitness(folder).known()[vault.name].generation,
                LedgerWitness(folder).known()[vault.name].digest.hex(),
            ],
            "half_born": _half_born(vault),
            "copies": [vault.wrapped(KeyName("load", one)) is not None for one in vault.versions(Role.LOAD)],
            "records": [json.loads(parse(path.read_bytes()).verify(public)) for path in paths],
        }
    Path(order["out"]).write_text(json.dumps(told), encoding="utf-8")


def _half_born(vault: CityToken) -> int:
    from pkcs11 import Attribute, ObjectClass  # noqa: PLC0415  the extra hsm

    kind = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.TOKEN: True, Attribute.EXTRACTABLE: True}
    return len(list(vault._session.get_objects(kind)))


WORK: dict[str, Callable[[dict[str, Any]], None]] = {"found": founded, "command": command, "look": look}


def in_a_fork(order: dict[str, Any]) -> int:
    """How a process of its own ended."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.environ |= {"SOFTHSM2_CONF": order["conf"], "HEBAT_TOKEN_PIN": order["pin"]}
            os.dup2(2, 1)  # what a command says is for people: answers alone go to whoever asked
            WORK[order["do"]](order)
            code = 0
        except BaseException as error:  # noqa: BLE001  told, and the code says it
            Path(order["out"]).write_text(f"{type(error).__name__}: {error}", encoding="utf-8")
        finally:
            sys.stderr.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(f"{in_a_fork(json.loads(line))}\n")
        sys.stdout.flush()
