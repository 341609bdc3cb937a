"""How this room's kernels are compiled: anew whenever a file changes whose code or numbers they hold, the card's layouts among them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from keys.kernels import unlocked

_ROOT: Final = Path(__file__).resolve().parents[3]
SOURCES: Final = (
    "card/apdu.py", "card/batch.py", "card/evidence.py", "card/journey.py", "card/layout.py", "card/tmac.py", "keys/cmac.py",
    "keys/kernels.py", "keys/money.py", "ledger/chart.py", "ledger/intake/columnar/cbor.py",
    "ledger/intake/columnar/compiled.py", "ledger/intake/columnar/counters.py", "ledger/intake/columnar/fields.py",
    "ledger/intake/columnar/inputs.py", "ledger/intake/columnar/moving.py", "ledger/intake/columnar/reading.py",
    "ledger/transfer.py",
)  # fmt: skip
"""Files below the folder that holds the packages."""
compiled: Final = unlocked(*(_ROOT / name for name in SOURCES))
