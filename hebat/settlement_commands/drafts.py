"""What a person drafts in a short JSON file: mappings, payment templates, rails."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from hebat.errors import InputRefused
from keys.quoting import cut

if TYPE_CHECKING:
    from pathlib import Path

DRAFT_BYTES_MAX: Final = 100_000


def read_json(path: Path) -> Any:
    """What the file holds; raises InputRefused where it cannot be read, is too long, or is no JSON."""
    try:
        if path.stat().st_size > DRAFT_BYTES_MAX:
            raise InputRefused(f"{path} has over {DRAFT_BYTES_MAX} bytes: what belongs there is shorter")
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputRefused(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise InputRefused(f"{path} is no JSON: {cut(error)}") from None
