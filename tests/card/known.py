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
