"""The name under which a browser keeps a file that it is given (RFC 6266): letters, digits, dot, hyphen and underscore, whatever it was made of.

Nothing in it ends the header's quoted text, begins another header, or climbs out of a folder; so nothing needs the encodings of RFC 8187.
"""

from __future__ import annotations

import re
from typing import Final

NAME_CHARACTERS_MAX: Final = 100
_OTHER: Final = re.compile(r"[^A-Za-z0-9._-]")


def attachment(name: str) -> dict[str, str]:
    """The header of a file to keep, never to be shown in a browser's window."""
    plain = _OTHER.sub("_", name)[-NAME_CHARACTERS_MAX:].lstrip(".") or "file"
    return {"Content-Disposition": f'attachment; filename="{plain}"'}
