"""A till in a process of its own that sells until it is killed: `python -m tests.system.busy_terminal FOLDER SOCKET NUMBER`.

It imports everything once, then forks a till for each line on standard input ("seed milliseconds"): a fresh process for each life, without
the start of an interpreter. Cards are spoken to through a socket, since they outlive it.
"""

from __future__ import annotations

import os
import random
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from card.errors import Acted, CardLost
from keys.clock import UnixMs
from keys.filevault import FileVault
from keys.money import Rupiah
from terminals.fares import TRANS_SEMARANG_2022
from terminals.outbox import Outbox
from terminals.terminal import Terminal
from terminals.upkeep import Parts

SALES = (500, 1_000, 2_500)


@dataclass
class Ticking:
    """A clock that goes on by a second each time it is asked."""

    at: int

    def now(self) -> UnixMs:
        self.at += 1_000
        return UnixMs(self.at)


class FarCard:
    """A card at the other end of a socket; raises CardLost where that ends."""

    def __init__(self, address: str, place: int) -> None:
        self._line = socket.socket(socket.AF_UNIX)
        self._line.connect(address)
        self._line.sendall(bytes((place,)))
        self.uid = self._line.recv(7)

    def transmit(self, apdu: bytes) -> bytes:
        self._line.sendall(len(apdu).to_bytes(2, "big") + apdu)
        head = self._line.recv(2)
        if len(head) < 2:
            raise CardLost(Acted.UNKNOWN)
        return self._line.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL)

    def close(self) -> None:
        self._line.close()


def sell(folder: Path, address: str, number: int, seed: int, at: int, cards: int) -> None:
    """Sell to one card after the other, for ever."""
    dice = random.Random(seed)
    outbox = Outbox(folder / "outbox.db")
    keys = FileVault.open(folder / "device.vault", "x")
    till = Terminal(Parts(number, outbox, keys, None, Ticking(at), TRANS_SEMARANG_2022))  # type: ignore[arg-type]
    while True:
        card = FarCard(address, dice.randrange(cards))
        till.sale(card, Rupiah(dice.choice(SALES)))
        card.close()


def say(word: str) -> None:
    """A line for whoever kills."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main() -> None:
    """Fork a till for each line, say its process, and say when it is gone."""
    folder, address, number, cards = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    for line in sys.stdin:
        seed, at = map(int, line.split())
        child = os.fork()
        if child == 0:
            sell(folder, address, number, seed, at, cards)
        say(str(child))
        os.waitpid(child, 0)
        say("gone")


if __name__ == "__main__":
    main()
