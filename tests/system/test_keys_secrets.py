"""Every secret of a founded city and of its cards, looked for in everything that was said, kept, traced, raised and pickled."""

from __future__ import annotations

import base64
import logging
import pickle
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from card import ev2, purse, tmac
from card.layout import Journey, TapKind
from card.personalise import personalise
from card.purse import Change
from card.trace import Recorder, render
from card.virtual import VirtualCard
from hebat.folder import Folder
from hebat.founding import AUTHORITY_LABEL
from keys import backup, cbor, ceremony, envelope, errors, identity, softkey, steps, tr31
from keys.clock import SystemClock, UnixMs
from keys.errors import KeysError
from keys.filevault import FileVault
from keys.freshqr import FreshQr
from keys.hsmvault import HsmVault
from keys.money import Rupiah, parse, rupiah_of
from keys.publickey import read_public_key
from keys.tokenkey import CardKeys
from keys.vault import KeyName, Purpose, Role, VaultRecord
from ledger.intake.receipt import LABEL as LEDGER_LABEL
from tests.card.known import IDENTITY
from tests.founding import found
from tests.keys.tokens import PIN, shared_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from keys.vault import KeyVault

UID = bytes.fromhex("04a1b2c3d4e5f6")
AT = UnixMs(1_795_000_000_000)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every value that a component, a card's key, a vault's key or a session key has had."""
    secrets: list[bytes] = []
    for kind in (ceremony.Component, softkey.SoftKey, ev2.SessionKeys):
        note_calls(monkeypatch, kind, "__init__", lambda given, _: secrets.extend(sixteen(given)))
    note_calls(monkeypatch, tmac, "session_keys", lambda _, made: secrets.extend(sixteen(made)))
    note_calls(monkeypatch, CardKeys, "_derived_value", lambda _, made: secrets.append(made))
    return secrets


def sixteen(values: Iterable[object]) -> list[bytes]:
    return [value for value in values if isinstance(value, bytes) and len(value) == 16]


def note_calls(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, note: Callable[[list[object], Any], None]
) -> None:
    """Look over the shoulder of a function: what it is given, and what it makes."""
    real = getattr(owner, name)

    def noted(*given: object, **named: object) -> object:
        result = real(*given, **named)
        note([*given, *named.values()], result)
        return result

    monkeypatch.setattr(owner, name, noted)


def in_base64(secret: bytes, before: int) -> bytes:
    """What stands of a secret in base64, surely, where `before` bytes precede it."""
    first, last = -(-8 * before // 6), 8 * (before + len(secret)) // 6
    return base64.b64encode(bytes(before) + secret)[first:last]


def leaks(secrets: Iterable[bytes], said: bytes) -> list[str]:
    """Secrets that stand in some bytes: raw, in hexadecimal, or in either base64 at any alignment."""
    lowered, standard = said.lower(), said.replace(b"-", b"+").replace(b"_", b"/")
    return [
        one.hex()
        for one in secrets
        if one in said
        or one.hex().encode() in lowered
        or any(in_base64(one, before) in standard for before in range(3))
    ]


def life(vault: KeyVault) -> list[str]:
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


def provoked(vault: KeyVault) -> Iterator[Callable[[], object]]:
    """What any vault refuses."""
    record = vault.record()
    vault.generate_key(KeyName("read", 2), Purpose.CARD)
    vault.retire(Role.READ, 1)
    yield lambda: vault.check_against(VaultRecord(record.name, 999, record.digest))
    yield lambda: vault.card_key(Role.DEBIT, 9, UID)
    yield lambda: vault.card_key(Role.READ, 1, UID)
    yield lambda: vault.retire(Role.DEBIT, 1)
    yield lambda: vault.add_master(Role.DEBIT, 1, ceremony.Component.drawn("A").combined(bytes(16)))
    yield lambda: vault.derived(Role.DEBIT, 1, bytes(99))
    yield lambda: vault.unwrap(KeyName("load", 7), Purpose.CARD, bytes(24), KeyName("transport", 1))
    yield lambda: pickle.dumps(vault)
    yield lambda: pickle.dumps(vault.card_key(Role.DEBIT, 1, UID))


def provoked_in_files(vault: FileVault, folder: Path) -> Iterator[Callable[[], object]]:
    """What a file, a backup, a ceremony, an envelope, a certificate, an amount and a token that is not there refuse."""
    path, component = vault._file.path, ceremony.Component.drawn("A")
    unfinished = steps.Steps.begin(folder / "s", "words-that-nobody-else-has", KeyName("load", 2), 16)
    _, shares = backup.make(vault)
    sealed = ceremony.signed([], vault, AUTHORITY_LABEL)
    yield lambda: parse("x")
    yield lambda: rupiah_of(parse("10.5"))
    yield lambda: FileVault.open(path, "words-that-nobody-else-has")
    yield lambda: FileVault.open(path, "words-that-nobody-else-has", "Demak")
    yield lambda: FileVault.open(folder / "none", "words-that-nobody-else-has")
    yield lambda: HsmVault.open("none.so", "nowhere", PIN)
    yield lambda: unfinished.take(component, "A")
    yield lambda: ceremony.Component("A", component.combined(bytes(16)), bytes(5))
    yield lambda: backup.Share.parse(shares[0].text[:-1] + "x")
    yield lambda: tr31.unwrap(bytes(range(16)), "D" * 112)
    yield lambda: envelope.parse(bytes(8))
    yield lambda: cbor.decoded(b"\xff")
    yield lambda: read_public_key(str(path))
    yield lambda: envelope.parse(sealed).verify(vault.public_key(LEDGER_LABEL))
    code = FreshQr.made(lambda said: vault.sign(LEDGER_LABEL, said), 1001, 9360000900000012, Rupiah(1), 1, AT)
    yield lambda: FreshQr.read("WORDS OF MINE")
    yield lambda: code.verify(vault.public_key(LEDGER_LABEL), code.good_until)
    yield lambda: identity.read_certificate(bytes(8), bytes(8), AT)


def raised_by(tries: Iterable[Callable[[], object]]) -> dict[type, str]:
    """Each error with its whole traceback and all that it says of itself."""
    said: dict[type, str] = {}
    for one in tries:
        with pytest.raises(KeysError) as caught:
            one()
        whole = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
        said[caught.type] = said.get(caught.type, "") + whole
    return said


@pytest.fixture
def city(tmp_path: Path, made: list[bytes]) -> Folder:
    """A founded city."""
    folder = Folder(tmp_path / "city")
    found(folder, SystemClock(), "demo")
    return folder


@pytest.fixture(params=["file", "token"])
def vault(request: pytest.FixtureRequest, city: Folder) -> Iterator[KeyVault]:
    """The city's vault, as a file, or its masters in a token."""
    file = FileVault.open(city.vault, city.passphrase())
    if request.param == "file":
        file.add_key(KeyName("transport", 1), Purpose.TRANSPORT, bytes(range(16)))
        yield file
        return
    held = shared_tokens(request.getfixturevalue("tmp_path_factory"))
    with HsmVault.create(held.module, held.new(), PIN, "Semarang") as token:
        for role in Role:
            token.add_master(role, 1, file._values[KeyName(role.value, 1)])
        token.add_key(KeyName("transport", 1), Purpose.TRANSPORT, bytes(range(16)))
        yield token


def test_law_11_no_secret_of_a_city_is_said_kept_traced_raised_or_pickled(
    vault: KeyVault, city: Folder, tmp_path: Path, made: list[bytes],
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    file = FileVault.open(city.vault, city.passphrase())
    shown = life(vault)
    raised = raised_by([*provoked(vault), *provoked_in_files(file, tmp_path)])
    every = {one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, KeysError)}
    assert every == set(raised)  # a new class of error must be provoked here too
    public = {bytes(16), bytes(range(16))}  # the factory's key, and the test's own transport key
    opened = FileVault.open(city.vault, city.passphrase())
    secrets = {*made, *opened._values.values(), city.passphrase().encode(), PIN.encode()} - public
    assert len(secrets) > 50
    assert sum("CHANGE_KEY" in line for line in shown) > 5  # the trace has the commands that carry keys
    out, err = capfd.readouterr()
    said = "\n".join([*shown, *raised.values(), caplog.text, out, err]).encode()
    assert leaks(secrets, said) == []
    places = (tmp_path, tmp_path_factory.getbasetemp() / "softhsm" / "tokens")
    kept = [path for place in places for path in place.rglob("*") if path.is_file()]
    found_in = {
        path.name: leaks(secrets, path.read_bytes()) for path in kept if path.name != "city.passphrase"
    }
    assert found_in == {name: [] for name in found_in}


def test_session_keys_are_among_what_is_looked_for(made: list[bytes], city: Folder) -> None:
    before = len(made)
    keys = ev2.session_keys(softkey.SoftKey(bytes(16), 1), bytes(16), bytes(range(16)))
    assert {keys.enc, keys.mac} <= set(made[before:])


@pytest.mark.parametrize("before", range(4))
def test_the_search_finds_a_secret_in_each_of_its_forms(before: int) -> None:
    secret = bytes(range(0xF0, 0x100))
    text = b"x" * before + secret + b"y"
    forms = (text, text.hex().encode(), text.hex().upper().encode())
    for form in (*forms, base64.b64encode(text), base64.urlsafe_b64encode(text)):
        assert leaks([secret], form) == [secret.hex()]
        assert leaks([bytes(16)], form) == []


def test_a_process_with_keys_leaves_no_image_of_its_memory() -> None:
    program = (
        "import ctypes, resource; from keys.hardening import forbid_dumps; forbid_dumps();"
        "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "(0, 0) 0"
