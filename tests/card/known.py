"""The public vectors, and the identity that the card tests write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from card.layout import NEVER, Concession, Identity, card_number
from keys.clock import Day

IDENTITY = Identity(
    card_number(9, 1),
    9,
    1,
    registered=False,
    concession=Concession.PUPIL,
    concession_until=Day(21_000),
    valid_until=NEVER,
)
VECTORS: dict[str, dict[str, Any]] = {
    one["id"]: one
    for one in json.loads((Path(__file__).parents[1] / "vectors" / "card.json").read_text(encoding="utf-8"))[
        "vectors"
    ]
}


def unhex(vector: dict[str, Any], *names: str) -> list[bytes]:
    return [bytes.fromhex(vector["inputs"][name]) for name in names]


class Scripted:
    """A card that gives one answer, whatever it is asked, and remembers the question."""

    def __init__(self, *answers: bytes) -> None:
        self.uid = bytes(7)
        self.asked: list[bytes] = []
        self._answers = list(answers)

    def transmit(self, apdu: bytes) -> bytes:
        self.asked.append(apdu)
        return self._answers.pop(0)
