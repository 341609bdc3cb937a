"""Where the real inputs are: `../shared/data`, which is not part of the project."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def shared_data() -> Path | None:
    """The folder of real inputs beside the checkout (or where HEBAT_SHARED points), if it is there."""
    folder = Path(os.environ.get("HEBAT_SHARED", ROOT.parent / "shared")) / "data"
    return folder if folder.is_dir() else None
