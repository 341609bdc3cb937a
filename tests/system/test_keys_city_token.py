"""A city whose keys lie in a PKCS#11 token (SoftHSM2), from its founding to the day that the token breaks: found, make a card, tap, load, roll, back up, restore."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import structlog
from pkcs11 import Attribute, ObjectClass
from typer.testing import CliRunner

from card import client, management
from card.layout import AID
from card.virtual import VirtualCard
from hebat.application import application
from hebat.cards.making import Wanted, make
from hebat.cli import app
from hebat.configurations import configuration_of
from hebat.demo import town
from hebat.demo.plan import BANK_JATENG
from hebat.errors import InputRefused
from hebat.fleet import Post, enrol, reopen
from hebat.folder import Folder
from hebat.serving import LoopbackServer
from hebat.vaults import LedgerWitness, city_vault
from hebat.wiring import City
from keys.citytoken import CityToken
from keys.clock import SystemClock
from keys.errors import KeyMisused
from keys.filevault import FileVault
from keys.money import Rupiah
from keys.rights import TerminalRole
from keys.tokenstate import FOLLOW_SECONDS
from keys.vault import KeyName, Purpose, Role
from terminals.opening import client_of, device_of, take_keys
from terminals.tap import Colour
from tests.keys.tokens import PIN, SoftTokens, shared_tokens
from tests.system.conftest import Ran, serving
from tests.system.typist import PASSPHRASE, VALUES, Typist, give

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from terminals.terminal import Terminal

PEOPLE = ("--present", "Witness A", "--present", "Witness B")
TILL = Post(2001, TerminalRole.MERCHANT, 502)
KIOSK = Post(3001, TerminalRole.KIOSK, town.AGENT)


def hebat(*arguments: str | Path) -> Ran:
    """A command in this process, which has SoftHSM2 loaded already."""
    before = structlog.get_config()
    try:
        ran = CliRunner().invoke(app, [str(one) for one in arguments])
    finally:
        structlog.configure(**before)  # a command sets its own log up, over a stream that is closed by now
    said = (
        f"{ran.exception}" if ran.exception is not None and not isinstance(ran.exception, SystemExit) else ""
    )
    return Ran(2 if said else ran.exit_code, ran.output, said)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> SoftTokens:
    """This run's SoftHSM2."""
    return shared_tokens(tmp_path_factory)


@pytest.fixture(scope="module")
def founded(tokens: SoftTokens, tmp_path_factory: pytest.TempPathFactory) -> tuple[Folder, str]:
    """A city that was founded on a token by commands: a ceremony for the transport key, the masters drawn; and the token's label."""
    folder, label = Folder(tmp_path_factory.mktemp("token") / "city"), tokens.new()
    hold_transport(folder, tokens, label)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HEBAT_TOKEN_PIN_FILE", str(pin_file(folder.root.parent)))
        short = hebat("keys", "found", "--data", folder.root)
        assert (short.code, "hold their ceremonies first" in short.err) == (2, True), short
        ran = hebat("keys", "found", "--draw", "--data", folder.root)
        assert (ran.code, f"its keys are in {label}" in ran.out) == (0, True), ran
    return folder, label


def hold_transport(folder: Folder, tokens: SoftTokens, label: str) -> None:
    place = ("--data", str(folder.root), "--module", tokens.module, "--token", label)
    typist = Typist("keys", "ceremony", "transport", *place)
    typist.answer("PIN of the token: ", PIN)
    typist.answer("Passphrase of this ceremony: ", PASSPHRASE)
    typist.answer("The same again: ", PASSPHRASE)
    for number in range(3):
        give(typist, number)
    assert typist.end() == 0, typist.seen


@pytest.fixture
def folder(founded: tuple[Folder, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """The founded city, and its PIN in a file that its owner alone can read."""
    monkeypatch.setenv("HEBAT_TOKEN_PIN_FILE", str(pin_file(tmp_path)))
    return founded[0]


def pin_file(place: Path) -> Path:
    pin = place / "token.pin"
    pin.touch(0o600)
    pin.write_text(PIN + "\n", encoding="utf-8")
    return pin


@contextmanager
def opened(folder: Folder) -> Iterator[City]:
    with City(folder, configuration_of(folder), SystemClock()) as city:
        yield city


def terminal(city: City, post: Post, address: str) -> Terminal:
    tariff = city.configuration.tariffs[-1]
    if (city.folder.terminal(post.number) / "device.vault").exists():
        return reopen(city.folder.terminal(post.number), city.clock, address, tariff, city.vault)
    return enrol(city, post, address, tariff)


def on_chip(chip: VirtualCard) -> bytes:
    chip.leave_field()
    client.select(chip, AID)
    found = bytes(management.key_version(client.free(chip), number) for number in range(6))
    chip.leave_field()
    return found


def load_and_pay(city: City, chip: VirtualCard) -> None:
    """A load and a sale at terminals of this city, both green and both posted."""
    with LoopbackServer(application(city)) as server:
        with terminal(city, KIOSK, server.address) as kiosk:
            assert kiosk.load(chip, Rupiah(20_000)).colour is Colour.GREEN
        chip.leave_field()
        with terminal(city, TILL, server.address) as till:
            assert till.sale(chip, Rupiah(5_000)).colour is Colour.GREEN
            assert till.close_shift().posted == 1
        chip.leave_field()


def test_a_city_on_a_token_makes_a_card_loads_it_takes_a_payment_and_rolls(folder: Folder) -> None:
    chip = VirtualCard(b"\x04\xaa" + bytes(5))
    with opened(folder) as city:
        assert isinstance(city.vault, CityToken)
        make(chip, city, Wanted(BANK_JATENG))
        chip.leave_field()
        load_and_pay(city, chip)
    before = on_chip(chip)
    for role in ("load", "debit"):
        ran = hebat("keys", "roll", role, *PEOPLE, "--data", folder.root)
        assert ran.code == 0, ran
    with opened(folder) as city:
        with LoopbackServer(application(city)) as server, client_of(server.address) as client:
            taken = take_keys(device_of(folder.terminal(TILL.number)), client, city.clock)
        assert [(one.label, one.version) for one in taken.came] == [("debit", before[2] + 1)]
        load_and_pay(city, chip)
        versions = {role: city.vault.current(role) for role in (Role.LOAD, Role.DEBIT)}
    after = on_chip(chip)
    assert (
        (after[3], after[2]) == (versions[Role.LOAD], versions[Role.DEBIT]) == (before[3] + 1, before[2] + 1)
    )
    checked = hebat("ledger", "verify", "--data", folder.root)
    assert (checked.code, "Transaction MACs recomputed" in checked.out) == (0, True), checked


def test_a_server_opens_the_token_with_the_pin_of_a_file_and_follows_a_roll(folder: Folder) -> None:
    chip = VirtualCard(b"\x04\xab" + bytes(5))
    with opened(folder) as city:
        make(chip, city, Wanted(BANK_JATENG))
        chip.leave_field()
        with LoopbackServer(application(city)) as server:
            terminal(city, KIOSK, server.address).__exit__(None, None, None)
        vault_key = city.vault.public_key("bundles")
        configuration = city.configuration
    assert len(vault_key) == 32
    device = folder.terminal(KIOSK.number)
    with serving(folder.root) as address:
        with opened_beside(folder) as vault:
            kiosk = reopen(device, SystemClock(), address, configuration.tariffs[-1], vault)
        before = on_chip(chip)
        with kiosk:
            assert kiosk.load(chip, Rupiah(20_000)).colour is Colour.GREEN
            chip.leave_field()
            ran = hebat("keys", "roll", "read", *PEOPLE, "--data", folder.root)
            assert ran.code == 0, ran
            time.sleep(FOLLOW_SECONDS)  # the server asks its token so often
            assert kiosk.load(chip, Rupiah(20_000)).colour is Colour.GREEN
    # The server that runs gave the card the key that was rolled beside it.
    assert on_chip(chip)[1] == before[1] + 1


@contextmanager
def opened_beside(folder: Folder) -> Iterator[CityToken]:
    """The token in this process, while a server has it in another."""
    vault = city_vault(folder)
    assert isinstance(vault, CityToken)
    with vault:
        yield vault


def test_nothing_but_what_terminals_hold_lies_outside_of_the_token(folder: Folder, tmp_path: Path) -> None:
    with opened_beside(folder) as vault:
        for role in Role:
            with pytest.raises(KeyMisused) if role not in {Role.READ, Role.DEBIT} else nothing():
                vault.subset(tmp_path / role.value, "ten violet otters", [role])
        kinds = {ObjectClass.SECRET_KEY, ObjectClass.PRIVATE_KEY}
        keys = [
            one for one in vault._session.get_objects({Attribute.TOKEN: True}) if one.object_class in kinds
        ]
        assert len(keys) > 12
        assert {(one[Attribute.SENSITIVE], one[Attribute.EXTRACTABLE]) for one in keys} == {(True, False)}
        held = {one.label for one in FileVault.open(tmp_path / "debit", "ten violet otters").contents()}
    assert held == {"debit"}
    with pytest.raises(KeyMisused, match="has no hand-out file"):
        CityToken._file(vault)


@contextmanager
def nothing() -> Iterator[None]:
    yield


def test_a_pin_is_taken_from_a_file_that_others_cannot_read_and_from_nowhere_else(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token.pin").chmod(0o640)
    ran = hebat("serve", "--data", folder.root, "--port", "0")
    assert (ran.code, "can be read by others" in ran.err, PIN in ran.err) == (2, True, False)
    monkeypatch.setenv("HEBAT_TOKEN_PIN_FILE", str(tmp_path / "nowhere"))
    assert "cannot be read" in hebat("serve", "--data", folder.root, "--port", "0").err
    monkeypatch.delenv("HEBAT_TOKEN_PIN_FILE")
    ran = hebat("serve", "--data", folder.root, "--port", "0")
    assert (ran.code, "put its PIN into HEBAT_TOKEN_PIN" in ran.err) == (2, True)
    (folder.root / "city.token").rename(tmp_path / "noted")
    (folder.root / "city.token").write_text("[]", encoding="utf-8")
    with pytest.raises(InputRefused, match="does not say which token"):
        city_vault(folder)
    (tmp_path / "noted").rename(folder.root / "city.token")


def test_a_token_that_broke_is_replaced_by_one_with_its_backup(
    folder: Folder, tokens: SoftTokens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chip, copy = VirtualCard(b"\x04\xac" + bytes(5)), Folder(tmp_path / "copy")
    with opened(folder) as city:
        make(chip, city, Wanted(BANK_JATENG))
        chip.leave_field()
        load_and_pay(city, chip)
        city.vault.generate_key(KeyName("read", city.vault.next_version("read")), Purpose.CARD)
        city.vault.retire(Role.READ, city.vault.versions(Role.READ)[-1])
        before = {
            (one.label, one.version): (one.check_value, one.retired is None) for one in city.vault.contents()
        }
    saved = tmp_path / "backup"
    ran = hebat("keys", "backup", saved, "--data", folder.root)
    assert (ran.code, "not in it" in ran.out) == (0, False), ran
    shutil.copytree(folder.root, copy.root)
    place, fresh = ("--data", str(copy.root)), tokens.new()
    new = ("--module", tokens.module, "--token", fresh)
    first = hebat("keys", "restore", saved, *place, *new)
    assert (first.code, "hold `hebat keys ceremony transport --version 1`" in first.err) == (2, True), first
    monkeypatch.delenv("HEBAT_TOKEN_PIN_FILE")
    hold_transport(copy, tokens, fresh)
    monkeypatch.setenv("HEBAT_TOKEN_PIN_FILE", str(tmp_path / "token.pin"))
    ran = hebat("keys", "restore", saved, *place)
    assert ran.code == 0, ran
    with opened(copy) as city:
        after = {
            (one.label, one.version): (one.check_value, one.retired is None) for one in city.vault.contents()
        }
        own = {("handout-seal", 1), ("handout-bridge", 1), ("key-room", 0)}
        assert {name: one for name, one in after.items() if name not in own} == {
            name: one for name, one in before.items() if name not in own
        }
        load_and_pay(city, chip)
        city.vault.generate_key(KeyName("debit", city.vault.next_version("debit")), Purpose.CARD)


def test_an_older_backup_or_another_citys_does_not_replace_a_token(
    folder: Folder, tokens: SoftTokens, tmp_path: Path
) -> None:
    saved, copy = tmp_path / "backup", Folder(tmp_path / "copy")
    assert hebat("keys", "backup", saved, "--data", folder.root).code == 0
    shutil.copytree(folder.root, copy.root)
    with opened_beside(folder) as vault:
        vault.generate_key(KeyName("picc", vault.next_version("picc")), Purpose.CARD)
        LedgerWitness(copy).note(vault)
    new = ("--data", str(copy.root), "--module", tokens.module, "--token", tokens.new())
    ran = hebat("keys", "restore", saved, *new)
    assert (ran.code, "is on record; where there is no newer one, --older" in ran.err) == (2, True), ran
    (tmp_path / "changed").write_bytes(saved.read_bytes().replace(b"debit", b"debib"))
    ran = hebat("keys", "restore", tmp_path / "changed", *new)
    assert (ran.code, "was changed" in ran.err) == (2, True), ran


def test_masters_travel_wrapped_between_a_token_and_a_file(folder: Folder, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    vault = FileVault.create(other / "city.vault", PASSPHRASE, 16, "city.vault")
    (other / "city.passphrase").write_text(PASSPHRASE, encoding="utf-8")
    value = bytes(a ^ b ^ c for a, b, c in zip(*VALUES, strict=True))
    vault.add_key(KeyName("transport", 1), Purpose.TRANSPORT, value)
    block = tmp_path / "block"
    refused = hebat("keys", "export", "load", block, "--data", folder.root)
    assert (refused.code, "export it with --wrapped" in refused.err) == (2, True), refused
    assert hebat("keys", "export", "load", block, "--wrapped", "--data", folder.root).code == 0
    told = hebat("keys", "import", block, "--data", other)
    assert told.code == 0, told
    with opened_beside(folder) as city:
        (load,) = (one for one in city.contents() if (one.label, one.version) == ("load", 1))
    assert f"check value {load.check_value.hex()}" in told.out
    vault = FileVault.open(other / "city.vault", PASSPHRASE)
    vault.add_master(Role.PICC, 77, bytes(range(9, 25)))
    vault.add_master(Role.DEBIT, 78, bytes(range(19, 35)))
    assert (
        hebat("keys", "export", "picc", tmp_path / "w", "--version", "77", "--wrapped", "--data", other).code
        == 0
    )
    assert hebat("keys", "export", "debit", tmp_path / "t", "--version", "78", "--data", other).code == 0
    assert hebat("keys", "export", "picc", tmp_path / "p", "--version", "77", "--data", other).code == 0
    assert hebat("keys", "import", tmp_path / "w", "--data", folder.root).code == 0
    assert hebat("keys", "import", tmp_path / "t", "--data", folder.root).code == 0
    stays_out = hebat("keys", "import", tmp_path / "p", "--data", folder.root)
    assert (stays_out.code, "comes into a token wrapped" in stays_out.err) == (2, True), stays_out
    listed = json.loads(hebat("keys", "list", "--json", "--data", folder.root).out)
    checks = {(one["label"], one["version"]): one["check_value"] for one in listed}
    for name in (("picc", 77), ("debit", 78)):
        (there,) = (one for one in vault.contents() if (one.label, one.version) == name)
        assert checks[name] == there.check_value.hex()
