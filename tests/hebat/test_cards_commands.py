"""The `hebat card` commands that look, trace and simulate, with virtual cards in readers of this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card import management, pcsc
from card.apdu import Ins
from card.applications import ApplicationSettings, KeySettings
from card.layout import AID, card_number
from card.personalise import open_delivered, personalise
from card.virtual import Generation, VirtualCard
from hebat.cards import field as readers_module
from hebat.cards import simulating
from hebat.cards.counter import COUNTER
from hebat.cards.recognising import TAPCASH_AID
from hebat.cards.simulating import Kept, chip_from
from hebat.errors import InputRefused
from keys.filevault import FileVault
from keys.vault import Role
from terminals.fares import Place
from terminals.tap import Colour

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from terminals.terminal import Terminal


from tests.hebat.card_desk import (
    ATR,
    READER,
    SECOND,
    UID,
    Desk,
    Ran,
    Scripted,
    identity,
    one_sentence,
    selected,
    vault_of,
    version,
)
from tests.ports import held_ports

pytest_plugins = ["tests.hebat.card_desk_fixtures"]

# Readers


def test_readers_are_listed_with_their_cards(desk: Desk, hebat: Callable[..., Ran]) -> None:
    desk.cards = [VirtualCard(UID)]
    shown = hebat("readers").out
    assert "Desk reader 00    a card, ATR 3B 81 80 01 80 80" in shown
    assert "Shelf reader 01   no card" in shown
    assert hebat("readers", "--json").json == [
        {"reader": READER, "atr": ATR.hex()},
        {"reader": SECOND, "atr": None},
    ]


def test_a_machine_without_readers_says_so(desk: Desk, hebat: Callable[..., Ran]) -> None:
    desk.names = []
    assert hebat("readers").out == "No reader is connected.\n"


def test_watch_tells_of_cards_and_readers_that_come_and_go(desk: Desk, hebat: Callable[..., Ran]) -> None:
    desk.cards = [VirtualCard(UID)]
    shown = [line[10:] for line in hebat("watch").out.splitlines()]
    assert shown == [f"{READER}  card, ATR 3B 81 80 01 80 80", f"{SECOND}  no card", f"{SECOND}  reader gone"]


def test_a_reader_is_chosen_by_a_part_of_its_name(desk: Desk, hebat: Callable[..., Ran]) -> None:
    desk.cards = [VirtualCard(UID)]
    assert hebat("info", "--reader", "shelf").code == 0
    assert desk.asked_for == [SECOND]
    told = one_sentence(hebat("info", "--reader", "bus"))
    assert told == f"hebat: no reader has 'bus' in its name: {READER}, {SECOND}"


def test_who_brings_no_card_is_asked_for_one_and_told_in_one_sentence(
    desk: Desk, hebat: Callable[..., Ran]
) -> None:
    ran = hebat("info")
    assert ran.err.startswith("Hold a card to the reader. (Ctrl-C gives up)\n")
    assert one_sentence(ran) == "hebat: no card came in time"


def test_a_service_that_is_down_is_one_sentence(desk: Desk, hebat: Callable[..., Ran]) -> None:
    desk.down = True
    assert "no PC/SC service answers" in one_sentence(hebat("readers"))


@pytest.mark.parametrize("command", ["readers", "info", "watch"])
def test_without_pyscard_one_sentence_says_what_to_install(
    command: str, hebat: Callable[..., Ran], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pcsc, "scard", None)
    told = one_sentence(hebat(command))
    assert "pyscard is not installed" in told
    assert "extra 'reader'" in told


# What a card is

PPSE = b"2PAY.SYS.DDF01"
STRANGERS = {
    "TapCash": (Scripted(UID, selected(TAPCASH_AID)), "tapcash", "A TapCash card of BNI: it is only named here"),
    "a payment card": (
        Scripted(UID[:4], selected(PPSE, bytes.fromhex("6f0e4f07a0000000041010"))), "payment", "payment card (Mastercard)",
    ),
    "an older DESFire": (Scripted(UID, version(0x01, 0x01)), "too-old", "DESFire EV1, 4 kB: too old a chip"),
    "a DESFire Light": (Scripted(UID, version(0x08, 0x30)), "other-chip", "A MIFARE DESFire Light: not the kind"),
    "a MIFARE Plus": (Scripted(UID, version(0x02, 0x11)), "other-chip", "A MIFARE Plus: not the kind of chip"),
    "no DESFire at all": (Scripted(UID, {}), "unknown", "no card of this city"),
    "bytes that are no answer": (Scripted(UID, {b"\x90": b""}), "unknown", "no card of this city"),
}  # fmt: skip
LOOKS = {Ins.GET_VERSION, Ins.SELECT_APPLICATION, Ins.GET_APPLICATION_IDS, Ins.READ_DATA}


def only_looked(sent: list[bytes]) -> bool:
    """True where nothing was sent but SELECT, GetVersion, lists and free reads."""
    return bool(sent) and all(
        one[:4] == b"\x00\xa4\x04\x00" or (one[0] == 0x90 and one[1] in LOOKS) for one in sent
    )


@pytest.mark.parametrize("name", STRANGERS)
def test_info_names_a_card_that_is_not_ours_and_writes_nothing(
    name: str, desk: Desk, hebat: Callable[..., Ran], folder: Path
) -> None:
    card, kind, sentence = STRANGERS[name]
    desk.cards = [card]
    assert sentence in hebat("info", "--data", folder).out
    assert hebat("info", "--json").json["kind"] == kind
    assert only_looked(card.sent)


@pytest.mark.parametrize("command", ["personalise", "read", "log", "load", "lock"])
@pytest.mark.parametrize("name", STRANGERS)
def test_no_command_writes_to_a_card_that_is_not_ours(
    name: str, command: str, desk: Desk, hebat: Callable[..., Ran], folder: Path
) -> None:
    card, _, sentence = STRANGERS[name]
    desk.cards = [card]
    amount = ["50000"] if command == "load" else []
    told = one_sentence(hebat(command, *amount, "--data", folder))
    assert sentence[2:].lower() in told.lower() or "UID of 4 bytes" in told
    assert not card.sent or only_looked(card.sent)


def test_tapcash_is_asked_one_question_and_nothing_else(desk: Desk, hebat: Callable[..., Ran]) -> None:
    card = Scripted(UID, selected(TAPCASH_AID))
    desk.cards = [card]
    assert hebat("info").code == 0
    assert card.sent == [bytes.fromhex("00a4040008") + TAPCASH_AID + b"\x00"]


def test_a_blank_card_is_told_to_be_blank(desk: Desk, hebat: Callable[..., Ran]) -> None:
    desk.cards = [VirtualCard(UID)]
    told = hebat("info").out
    assert told.startswith("A blank MIFARE DESFire EV3, ")
    assert "04 11 22 33 44 55 66" in told


def test_a_real_ev1_is_told_to_be_too_old(desk: Desk, hebat: Callable[..., Ran], folder: Path) -> None:
    old = VirtualCard(UID, generation=Generation.EV1)
    desk.cards = [old]
    before = old.save()
    assert "DESFire EV1, 4 kB: too old a chip" in hebat("info").out
    assert "nothing was written. A MIFARE DESFire EV1" in one_sentence(hebat("personalise", "--data", folder))
    assert old.save() == before


@pytest.mark.parametrize("listed", [True, False])
def test_a_chip_that_somebody_else_uses_is_left_to_them(
    listed: bool, desk: Desk, hebat: Callable[..., Ran], folder: Path
) -> None:
    card = VirtualCard(UID)
    picc = open_delivered(card)
    management.create_application(picc, ApplicationSettings(b"\x01\x02\x03", 1))
    management.change_key_settings(picc, KeySettings(free_list=listed))
    desk.cards = [card]
    told = hebat("info").out
    assert "that somebody else uses: no card of this city" in told
    assert ("010203" in told) is listed
    before = card.save()
    assert "nothing was written" in one_sentence(hebat("personalise", "--data", folder))
    assert card.save() == before


def test_without_the_citys_folder_only_what_anybody_may_read_is_shown(
    chip: VirtualCard, hebat: Callable[..., Ran]
) -> None:
    told = hebat("info")
    assert told.out.startswith("A Kartu Semarang Hebat.\n")
    assert "--data DIR" in told.out
    assert "9360" not in told.out


def test_with_the_citys_folder_everything_is_shown(
    chip: VirtualCard, hebat: Callable[..., Ran], folder: Path
) -> None:
    assert hebat("load", "50.000", "--data", folder).code == 0
    told = hebat("info", "--data", folder).out
    assert "A card of this city.\n" in told
    assert "9360 0009 0000 0014" in told
    assert "Bank Negara Indonesia" in told
    assert "Rp50.000 of at most Rp2.000.000" in told
    assert f"+Rp50.000   Rp50.000   terminal {COUNTER}" in told


def test_a_ride_is_shown_with_its_stop(
    chip: VirtualCard, hebat: Callable[..., Ran], folder: Path, conductor: Terminal
) -> None:
    assert hebat("load", "50000", "--data", folder).code == 0
    assert conductor.fare(chip, Place("1", "Zebra B", 1, 4, 1001)).colour is Colour.GREEN
    told = hebat("log", "--data", folder).out
    assert "fare    -Rp3.500   Rp46.500   Koridor 1, Zebra B, terminal 1001" in told
    newest, oldest = hebat("log", "--data", folder, "--json").json
    assert (newest["kind"], newest["amount"], oldest["kind"]) == ("fare", 3_500, "load")


def test_a_card_of_another_city_is_not_read(
    desk: Desk, hebat: Callable[..., Ran], folder: Path, tmp_path: Path
) -> None:
    other = FileVault.create(tmp_path / "other.vault", "x", 16)
    for number, role in enumerate(Role):
        other.add_master(role, 1, bytes([number]) * 16)
    card = VirtualCard(UID)
    personalise(card, other, identity())
    desk.cards = [card]
    assert "does not know this city's keys: another city's" in hebat("info", "--data", folder).out
    assert hebat("info", "--data", folder, "--json").json["kind"] == "another-city"
    assert "another city's" in one_sentence(hebat("lock", "--yes", "--data", folder))
    assert "of another city: nothing was written" in one_sentence(hebat("personalise", "--data", folder))


def test_read_shows_identity_and_balance(chip: VirtualCard, hebat: Callable[..., Ran], folder: Path) -> None:
    told = hebat("read", "--data", folder, "--json").json
    assert told["card_number"] == card_number(9, 1)
    assert told["balance"] == 0
    assert told["locked"] is False
    assert "log" not in told


@pytest.mark.parametrize("command", ["read", "log", "lock", "personalise"])
def test_a_folder_without_a_city_is_one_sentence(
    command: str, desk: Desk, hebat: Callable[..., Ran], tmp_path: Path
) -> None:
    desk.cards = [VirtualCard(UID)]
    assert "holds no city" in one_sentence(hebat(command, "--data", tmp_path))


# Traces


def test_a_trace_names_commands_and_hides_secrets(
    chip: VirtualCard, hebat: Callable[..., Ran], folder: Path
) -> None:
    hidden = hebat("read", "--data", folder, "--json", "--trace")
    assert "AUTHENTICATE_EV2_FIRST key 2" in hidden.err
    assert "bytes hidden>" in hidden.err
    assert hidden.json["balance"] == 0
    shown = hebat("read", "--data", folder, "--json", "--show-secrets")
    assert "AUTHENTICATE_EV2_FIRST key 2" in shown.err
    assert "hidden" not in shown.err
    assert "AUTHENTICATE" not in hebat("read", "--data", folder).err


def test_the_trace_command_traces_another_one(
    chip: VirtualCard, hebat: Callable[..., Ran], folder: Path
) -> None:
    traced = hebat("trace", "read", "--data", folder, "--json")
    assert "AUTHENTICATE_EV2_FIRST key 2" in traced.err
    assert "bytes hidden>" in traced.err
    assert traced.json["balance"] == 0
    assert "bytes hidden>" not in hebat("trace", "info", "--show-secrets").err
    assert "such as: hebat card trace info" in one_sentence(hebat("trace"))


def test_a_trace_on_a_terminal_is_folded_and_in_a_file_is_a_line_an_exchange(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    line = f"-> READ_DATA {'ab' * 20} <- OK <40 bytes hidden>"
    assert readers_module._laid_out(line) == line
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "50")
    folded = ["-> READ_DATA", f"      {'ab' * 20}", "   <- OK <40 bytes hidden>"]
    assert readers_module._laid_out(line).splitlines() == folded


# Simulating


def test_a_simulated_card_is_kept_as_it_changes_and_only_for_its_owner(tmp_path: Path, folder: Path) -> None:
    path = tmp_path / "one.card"
    kept = Kept(chip_from(None, path), path)
    assert path.stat().st_mode & 0o777 == 0o600
    personalise(kept, vault_of(folder), identity())
    again = chip_from(None, path)
    assert again.uid == kept.uid
    assert AID in again.applications
    assert chip_from(path, None).save() == again.save()


def test_a_file_that_is_no_card_is_one_sentence(hebat: Callable[..., Ran], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.card"
    wrong.write_bytes(b"no card")
    assert "holds no virtual card" in one_sentence(hebat("simulate", wrong))
    assert "cannot be read" in one_sentence(hebat("simulate", tmp_path / "absent.card"))


def test_no_virtual_reader_is_one_sentence(hebat: Callable[..., Ran], unused_port: int) -> None:
    assert "no virtual reader listens" in one_sentence(hebat("simulate", "--port", unused_port))


def test_a_place_that_cannot_be_written_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulating, "_require_reader", lambda port: None)
    with pytest.raises(InputRefused, match="cannot be written"):
        simulating.simulate(VirtualCard(UID), 9, tmp_path / "absent" / "one.card", print)


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port where nobody listens."""
    with held_ports() as port:
        yield port
