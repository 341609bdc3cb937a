"""Every secret of a founded city and of its cards, looked for in everything that was said, kept, traced, raised and pickled."""

from __future__ import annotations

import base64
import io
import logging
import pickle
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING

import pytest

from card import purse
from card.layout import Journey, TapKind
from card.personalise import personalise
from card.purse import Change
from card.trace import Recorder, render
from card.virtual import VirtualCard
from hebat.folder import Folder
from hebat.founding import found
from keys import backup, ceremony, errors, softkey, steps, tr31
from keys.clock import SystemClock, UnixMs
from keys.errors import KeysError
from keys.filevault import FileVault
from keys.money import Rupiah, parse, rupiah_of
from keys.vault import KeyName, Purpose, Role, VaultRecord
from tests.card.known import IDENTITY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

UID = bytes.fromhex("04a1b2c3d4e5f6")
AT = UnixMs(1_795_000_000_000)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every value that a component, a card key or a vault's key has had."""
    secrets: list[bytes] = []
    for kind in (ceremony.Component, softkey.SoftKey):
        begin = kind.__init__

        def noted(self: object, *values: object, begin: Callable[..., None] = begin) -> None:
            secrets.extend(value for value in values if isinstance(value, bytes) and len(value) == 16)
            begin(self, *values)

        monkeypatch.setattr(kind, "__init__", noted)
    return secrets


def forms(secret: bytes) -> tuple[bytes, ...]:
    return secret, secret.hex().encode(), base64.b64encode(secret).rstrip(b"=")


def leaks(secrets: list[bytes], said: bytes) -> list[str]:
    lowered = said.lower()
    return [one.hex() for one in secrets if any(form in said or form in lowered for form in forms(one))]


def life(vault: FileVault) -> list[str]:
    """A card's life, traced; what the trace shows and what the objects say of themselves."""
    shown: list[str] = []
    recorder = Recorder(VirtualCard(UID), lambda one: shown.append(render(one)))
    personalise(recorder, vault, IDENTITY)
    for role, change in (
        (Role.LOAD, Change(TapKind.LOAD, Rupiah(50_000), None, 1, 1, AT)),
        (Role.DEBIT, Change(TapKind.FARE, Rupiah(3_500), Journey(), 1, 2, AT)),
    ):
        open_ = purse.open_card(recorder, vault, role)
        open_.stage(change)
        shown.append(repr((open_, open_.commit(), vault.card_key(role, 1, UID))))
    return [*shown, repr(vault), repr(vault.contents()), repr(vault.record())]


def provoked(vault: FileVault, folder: Path) -> dict[type, str]:
    """Each error of the keys package, with its whole traceback."""
    vault.add_key(KeyName("transport", 1), Purpose.TRANSPORT, bytes(range(16)))
    component = ceremony.Component.drawn("A")
    unfinished = steps.Steps.begin(folder / "s", "words of mine", KeyName("load", 2), 16)
    _, shares = backup.make(vault)
    record = vault.record()
    tries: list[Callable[[], object]] = [
        lambda: parse("x"), lambda: rupiah_of(parse("10.5")),
        lambda: FileVault.open(vault._file.path, "words of mine"),
        lambda: FileVault.open(vault._file.path, "words of mine", "Demak"),
        lambda: FileVault.open(folder / "none", "words of mine"),
        lambda: vault.check_against(VaultRecord(record.name, 999, record.digest)),
        lambda: vault.card_key(Role.DEBIT, 9, UID), lambda: vault.retire(Role.DEBIT, 1),
        lambda: vault.add_master(Role.DEBIT, 1, component.combined(bytes(16))),
        lambda: unfinished.take(component, "A"), lambda: backup.Share.parse(shares[0].text[:-1] + "x"),
        lambda: tr31.unwrap(bytes(range(16)), "D" * 112), lambda: pickle.dumps(vault),
        lambda: pickle.dumps(vault.card_key(Role.DEBIT, 1, UID)),
        lambda: vault.unwrap(KeyName("load", 7), Purpose.CARD, bytes(24), KeyName("transport", 1)),
        lambda: ceremony.Component("A", component.combined(bytes(16)), bytes(5)),
    ]  # fmt: skip
    said: dict[type, str] = {}
    for one in tries:
        with pytest.raises(KeysError) as caught:
            one()
        said[caught.type] = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    return said


def test_law_11_no_secret_of_a_city_is_said_kept_traced_raised_or_pickled(
    tmp_path: Path, made: list[bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.DEBUG)
    folder = Folder(tmp_path / "city")
    records = found(folder, SystemClock(), "town")
    vault = FileVault.open(folder.vault, folder.passphrase())
    shown = life(vault)
    raised = provoked(vault, tmp_path)
    logging.getLogger().removeHandler(handler)
    logging.getLogger().setLevel(logging.WARNING)
    public = {bytes(16), bytes(range(16))}  # the factory's key, and the test's own transport key
    secrets = sorted({*made, *vault._values.values(), folder.passphrase().encode()} - public)
    assert len(secrets) > 40
    assert (
        sum("CHANGE_KEY" in line for line in shown) > 5
    )  # the trace is one, and has the commands that carry keys
    assert {errors.VaultLocked, errors.VaultSwapped, errors.VaultRolledBack, errors.KeyMissing} < set(raised)
    out, err = capfd.readouterr()
    said = "\n".join([*shown, *raised.values(), repr(records), log.getvalue(), out, err]).encode()
    assert leaks(secrets, said) == []
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "city.passphrase"]
    assert {path.name: leaks(secrets, path.read_bytes()) for path in kept} == {path.name: [] for path in kept}
    assert leaks(secrets, secrets[0].hex().upper().encode()) == [secrets[0].hex()]  # the search itself finds


def test_a_process_with_keys_leaves_no_image_of_its_memory() -> None:
    program = (
        "import ctypes, resource; from keys.hardening import forbid_dumps; forbid_dumps();"
        "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "(0, 0) 0"
