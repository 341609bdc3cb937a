"""A till that is killed over and over during a busy shift: no sale is lost or doubled, and its totals are the ledger's."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from card.errors import CardError
from keys.money import Rupiah, sen_of
from ledger.chart import PARTITIONS, Code, Partition, account_id
from terminals.tap import Colour
from tests.system.tears_city import TILLS, Rig, check_laws

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hebat.issuing import Issued

ROOT: Final = Path(__file__).parents[2]
KILLS: Final = 500 if os.environ.get("HEBAT_LONG") == "1" else 40
CARDS: Final = 12
LIFE_EXCHANGES_MAX: Final = (
    40  # four sales or so: a life ends in the middle of work however slow the machine is
)
PAUSE_S_MAX: Final = 0.004  # about an exchange and the record that follows: kills fall between exchanges too
STUCK_S: Final = 60
TILL: Final = TILLS[0]


class Exchanges:
    """How many answers the cards have given: a till's work, whatever the time it takes."""

    def __init__(self) -> None:
        self._made = 0
        self._more = threading.Condition()

    @property
    def made(self) -> int:
        """Answers so far."""
        with self._more:
            return self._made

    def add(self) -> None:
        """One more."""
        with self._more:
            self._made += 1
            self._more.notify_all()

    def wait_until(self, made: int) -> None:
        """Come back once there are so many; fails where a till has stopped working."""
        with self._more:
            assert self._more.wait_for(lambda: self._made >= made, STUCK_S), "a till has stopped selling"


@contextmanager
def field_of(cards: list[Issued], folder: Path, exchanges: Exchanges) -> Iterator[str]:
    """Cards behind a socket: whoever connects holds one; a line that ends is a card pulled away."""
    address = str(folder / "field")
    ended = threading.Event()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(address)
        door.listen(4)
        door.settimeout(0.2)

        def serve() -> None:
            while not ended.is_set():
                with suppress(TimeoutError):
                    line, _ = door.accept()
                    line.settimeout(10)
                    with line, suppress(OSError, CardError):
                        hold(cards, line, exchanges)

        thread = threading.Thread(target=serve)
        thread.start()
        yield address
        ended.set()
        thread.join()


def hold(cards: list[Issued], line: socket.socket, exchanges: Exchanges) -> None:
    """One card, from hand to hand."""
    place = line.recv(1)
    if not place:
        return
    chip = cards[place[0]].chip
    chip.leave_field()
    line.sendall(chip.uid)
    while head := line.recv(2):
        answer = chip.transmit(line.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL))
        exchanges.add()
        line.sendall(len(answer).to_bytes(2, "big") + answer)
    chip.leave_field()


def killed_over_and_over(folder: Path, address: str, at: int, exchanges: Exchanges) -> None:
    """Start a till, let it speak to cards for some exchanges, kill it: again and again."""
    dice = random.Random(7)
    command = [sys.executable, "-m", "tests.system.busy_terminal", str(folder), address, str(TILL.number)]
    with subprocess.Popen(
        [*command, str(CARDS)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for life in range(KILLS):
            process.stdin.write(f"{life} {at + life * 60_000}\n")
            process.stdin.flush()
            before = exchanges.made
            child = int(process.stdout.readline())
            exchanges.wait_until(before + dice.randint(0, LIFE_EXCHANGES_MAX))
            time.sleep(dice.uniform(0, PAUSE_S_MAX))
            os.kill(child, signal.SIGKILL)
            assert process.stdout.readline() == "gone\n"
        process.stdin.close()


def owed_to_merchant(rig: Rig) -> int:
    """What the books owe the till's merchant, in sen."""
    accounts = (account_id(Code.MERCHANT_PAYABLE, Partition(n), TILL.owner) for n in range(PARTITIONS))
    return sum(map(rig.net, accounts))


@pytest.mark.slow
def test_law_06_a_till_killed_at_random_all_day_loses_no_sale_doubles_none_and_its_totals_are_the_ledgers(
    tmp_path: Path,
) -> None:
    rig = Rig(tmp_path)
    cards = list(rig.loaded(CARDS, Rupiah(1_000_000)))
    till = rig.terminal(TILL)
    till.outbox.open_shift("Kasir 1", rig.clock.now())
    till.__exit__(None, None, None)
    exchanges = Exchanges()
    with field_of(cards, tmp_path, exchanges) as address:
        killed_over_and_over(tmp_path / f"terminal-{TILL.number}", address, rig.clock.now(), exchanges)
    rig.wait(60 * (KILLS + 10))
    till = rig.terminals[TILL.number] = rig._switched_on(TILL.number)
    torn = till.outbox.shift()
    for card in cards:  # every card comes once more, and tells what became of its last sale
        shown = [till.sale(card.chip, Rupiah(700)).colour for _ in range(2)]
        assert Colour.GREEN in shown
    made = till.outbox.next_sequence - 1
    rig.upload(TILL)
    shift = till.outbox.close_shift(rig.clock.now())
    assert till.cash_up(shift).agrees
    assert torn is not None
    assert made > KILLS / 2, "the tills were killed before they sold anything"
    assert made > torn.line("sale").count, "no sale was cut in the middle"
    assert shift.line("open").count == 0
    assert sen_of(shift.taken) == owed_to_merchant(rig)
    assert till.outbox.waiting == 0
    check_laws(rig)
    rig.close()
