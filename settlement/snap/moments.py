"""Times as SNAP writes them: ISO 8601 to the second with the zone ("2024-03-05T10:37:16+07:00"); fractions and Z are read too."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

from keys.clock import UnixMs, local, moment

_FORM: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})", re.ASCII)


def written(at: UnixMs) -> str:
    """A moment on the city's clock."""
    return local(at).isoformat(timespec="seconds")


def read(text: str) -> UnixMs | None:
    """The moment of a text; None where it is none."""
    if not _FORM.fullmatch(text):
        return None
    try:
        return moment(datetime.fromisoformat(text))
    except ValueError:
        return None
