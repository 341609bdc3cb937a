"""Taps on real chips: what is green, amber or red, and that nobody pays twice however a card is torn."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from card.batch import RecordStatus
from card.layout import AID, File
from card.virtual import VirtualCard
from keys.money import Rupiah
from terminals.errors import (
    LoadDenied,
    Offline,
    OutboxBusy,
    OutboxError,
    OutboxFull,
    ReceiptWrong,
    UploadRefused,
)
from terminals.outbox import Outbox
from terminals.outbox_file import RecordState
from terminals.tap import Colour
from tests.terminals.depot import PLACE, Clock, Ledger, Server, card, terminal, value_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keys.filevault import FileVault
    from terminals.terminal import Terminal


@pytest.fixture
def other(
    tmp_path: Path, vault: FileVault, clock: Clock, ledger: Ledger, server: Server
) -> Iterator[Terminal]:
    with terminal(tmp_path, vault, clock, ledger, server.address, 1002) as made:
        yield made


def test_a_fare_is_green_with_the_new_balance_and_goes_up(
    bus: Terminal, vault: FileVault, ledger: Ledger
) -> None:
    chip = card(vault)
    outcome = bus.fare(chip, PLACE)
    assert value_of(chip) == 46_500
    assert (outcome.colour, outcome.amount, outcome.balance) == (
        Colour.GREEN,
        3_500,
        46_500,
    )
    assert bus.upload().posted == 1
    (record,) = ledger.records()
    assert (record.status, record.amount, record.context.rules) == (RecordStatus.CONFIRMED, -3_500, ("full",))
    assert bus.outbox.waiting == 0


def test_an_empty_purse_and_a_foreign_card_are_red_with_a_reason(bus: Terminal, vault: FileVault) -> None:
    assert bus.fare(card(vault, 1_000), PLACE).colour is Colour.RED
    blank = bus.fare(VirtualCard(bytes(7)), PLACE)
    assert (blank.colour, blank.reason) == (Colour.RED, "foreign")
    assert bus.outbox.waiting == 0


@pytest.mark.parametrize("acts", [False, True], ids=["before the chip acts", "after"])
@pytest.mark.parametrize("cut", range(1, 13))
@pytest.mark.parametrize("where", ["the same terminal", "never back", "another terminal"])
def test_however_a_fare_is_torn_value_is_conserved_and_it_is_paid_at_most_once(
    bus: Terminal,
    other: Terminal,
    vault: FileVault,
    clock: Clock,
    ledger: Ledger,
    where: str,
    cut: int,
    *,
    acts: bool,
) -> None:
    chip = card(vault)
    chip.tear(cut, acts=acts)
    assert bus.fare(chip, PLACE).colour is Colour.AMBER
    committed = cut == 12 and acts
    assert value_of(chip) == 50_000 - 3_500 * committed
    greens = 0
    if where != "never back":
        clock.wait(1)
        back = (bus if where == "the same terminal" else other).fare(chip, PLACE)
        greens = int(back.colour is Colour.GREEN)
        assert back.colour is Colour.GREEN or back.reason == "passback"
    bus.close_shift()
    other.close_shift()
    records = ledger.records()
    confirmed = sum(record.amount for record in records if record.status is RecordStatus.CONFIRMED)
    waiting = [record for record in records if record.status is RecordStatus.UNCONFIRMED]
    assert len(waiting) == (cut == 12 and where != "the same terminal")
    proven = sum(record.amount for record in waiting) if committed else 0
    assert value_of(chip) == 50_000 + confirmed + proven
    if where == "the same terminal":
        assert (greens, value_of(chip)) == (1, 46_500)


def test_a_fare_that_turned_out_to_be_paid_is_green_once_and_then_a_passback(
    bus: Terminal, vault: FileVault
) -> None:
    chip = card(vault)
    chip.tear(12, acts=True)
    shown = [bus.fare(chip, PLACE) for _ in range(3)]
    assert [one.colour for one in shown] == [Colour.AMBER, Colour.GREEN, Colour.RED]
    assert (shown[1].balance, shown[2].reason, value_of(chip)) == (46_500, "passback", 46_500)


def test_a_sale_writes_no_journey(bus: Terminal, vault: FileVault) -> None:
    chip = card(vault)
    before = chip.applications[AID].files[File.JOURNEY].save()
    assert bus.sale(chip, Rupiah(12_000)).balance == 38_000
    assert chip.applications[AID].files[File.JOURNEY].save() == before


def test_a_denied_load_touches_no_card(bus: Terminal, vault: FileVault, ledger: Ledger) -> None:
    chip = card(vault)
    ledger.mishaps = ["422"]
    with pytest.raises(LoadDenied, match="told to say 422"):
        bus.load(chip, Rupiah(20_000))
    assert value_of(chip) == 50_000


def test_a_lost_answer_is_followed_by_the_same_bytes(bus: Terminal, vault: FileVault, ledger: Ledger) -> None:
    bus.fare(card(vault), PLACE)
    ledger.mishaps = ["lost"]
    assert bus.upload().posted == 1
    first, second = ledger.bodies
    assert first == second


@pytest.mark.parametrize("mishap", ["other key", "other batch"])
def test_a_receipt_that_proves_nothing_drops_nothing(
    bus: Terminal, vault: FileVault, ledger: Ledger, mishap: str
) -> None:
    bus.fare(card(vault), PLACE)
    ledger.mishaps = [mishap]
    with pytest.raises(ReceiptWrong):
        bus.upload()
    assert bus.outbox.waiting == 1
    assert bus.upload().posted == 1


def test_a_busy_ledger_is_asked_again_and_a_refusal_says_why(
    bus: Terminal, vault: FileVault, ledger: Ledger
) -> None:
    bus.fare(card(vault), PLACE)
    ledger.mishaps = ["503"]
    assert bus.upload().posted == 1
    bus.fare(card(vault, serial=2), PLACE)
    ledger.mishaps = ["409"]
    with pytest.raises(UploadRefused, match="told to say 409"):
        bus.upload()
    assert bus.outbox.waiting == 1


def test_without_a_ledger_records_wait(
    tmp_path: Path, vault: FileVault, clock: Clock, ledger: Ledger
) -> None:
    with terminal(tmp_path, vault, clock, ledger, "http://127.0.0.1:1", 1009) as lonely:
        lonely.fare(card(vault), PLACE)
        with pytest.raises(Offline):
            lonely.upload()
        assert lonely.outbox.waiting == 1


def test_batches_are_chained_and_numbers_go_on_after_a_restart(
    tmp_path: Path, vault: FileVault, clock: Clock, ledger: Ledger, server: Server
) -> None:
    for serial in (1, 2):
        with terminal(tmp_path, vault, clock, ledger, server.address, 1008) as made:
            made.fare(card(vault, serial=serial), PLACE)
            made.upload()
    assert [record.sequence for record in ledger.records()] == [1, 2]


def test_an_open_intent_ends_a_batch_and_goes_up_once_the_card_has_had_its_time(
    bus: Terminal, vault: FileVault, clock: Clock, ledger: Ledger
) -> None:
    torn = card(vault)
    torn.tear(12, acts=True)
    bus.fare(torn, PLACE)
    bus.fare(card(vault, serial=2), PLACE)
    assert bus.upload().sent == 0
    clock.wait(121)
    assert bus.upload().sent == 2
    assert [record.status for record in ledger.records()] == [
        RecordStatus.UNCONFIRMED,
        RecordStatus.CONFIRMED,
    ]


def test_a_second_process_on_one_outbox_is_refused(bus: Terminal, tmp_path: Path) -> None:
    script = f"from pathlib import Path; from terminals.outbox import Outbox; Outbox(Path({str(tmp_path)!r}) / 'terminal-1001' / 'outbox.db')"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ran.returncode != 0
    assert OutboxBusy.__name__ in ran.stderr


def test_a_file_that_is_no_outbox_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    path.write_bytes(b"somebody's letters " * 100)
    with pytest.raises(OutboxError, match="keep the file"):
        Outbox(path)
    assert path.read_bytes().startswith(b"somebody's letters")


def test_law_10_a_full_outbox_says_so_before_the_card_pays(
    bus: Terminal, vault: FileVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("terminals.outbox.RECORDS_MAX", 1)
    bus.fare(card(vault), PLACE)
    chip = card(vault, serial=2)
    with pytest.raises(OutboxFull, match="upload"):
        bus.fare(chip, PLACE)
    chip.leave_field()
    assert value_of(chip) == 50_000


def test_a_record_out_of_turn_is_refused(bus: Terminal, vault: FileVault, ledger: Ledger) -> None:
    bus.fare(card(vault), PLACE)
    bus.upload()
    (record,) = ledger.records()
    with pytest.raises(OutboxError, match="not the next one"):
        bus.outbox.save(record, RecordState.READY)


KILLED = """
import os, sys
from pathlib import Path
from card.layout import AID, File
from card.virtual import VirtualCard
from card.client import Session
from keys.filevault import FileVault
from terminals.outbox import Outbox
from tests.terminals.depot import PLACE, Clock, Ledger, terminal
folder, moment = Path(sys.argv[1]), sys.argv[2]
chip = VirtualCard.load((folder / "chip").read_bytes())
real = Session.commit
def commit(session):
    if moment == "after the intent": os.kill(os.getpid(), 9)
    done = real(session)
    (folder / "chip").write_bytes(chip.save())
    if moment == "after the commit": os.kill(os.getpid(), 9)
    return done
Session.commit = commit
vault = FileVault.open(folder / "city.vault", "x")
terminal(folder, vault, Clock(), Ledger(), "http://127.0.0.1:1", 1001).fare(chip, PLACE)
"""


@pytest.mark.parametrize("moment", ["after the intent", "after the commit"])
def test_law_04_a_terminal_killed_around_the_commit_neither_loses_nor_doubles_the_fare(
    tmp_path: Path, vault: FileVault, clock: Clock, ledger: Ledger, server: Server, moment: str
) -> None:
    (tmp_path / "chip").write_bytes(card(vault).save())
    ran = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), moment], capture_output=True, check=False
    )
    assert ran.returncode == -9, ran.stderr
    chip = VirtualCard.load((tmp_path / "chip").read_bytes())
    assert value_of(chip) == (46_500 if moment == "after the commit" else 50_000)
    with terminal(tmp_path, vault, clock, ledger, server.address) as again:
        outcome = again.fare(chip, PLACE)
        assert (outcome.colour, value_of(chip)) == (Colour.GREEN, 46_500)
        again.close_shift()
    confirmed = [record for record in ledger.records() if record.status is RecordStatus.CONFIRMED]
    assert [record.amount for record in confirmed] == [-3_500]


def test_a_terminal_needs_neither_numpy_nor_sql_nor_a_web_framework() -> None:
    script = (
        "import sys, terminals.terminal, terminals.places, terminals.upload\n"
        "print(sorted({'numpy', 'numba', 'sqlalchemy', 'fastapi', 'ledger', 'settlement', 'hebat'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_the_shipped_corridors_are_semarangs() -> None:
    from terminals.places import corridors  # noqa: PLC0415

    found = corridors()
    assert [corridor.name for corridor in found] == (
        ["1", "2", "3A", "3B", "4", "5", "6", "7", "8", "F1A", "F1B", "F2A", "F2B", "F3", "F4A", "F4B", "LM"]
    )
    assert (found[0].origin, found[0].toward, len(found[0].stops)) == ("Penggaron", "Mangkang", 40)
    assert sum(len(corridor.stops) for corridor in found) > 400
