"""The schemas of ISO 20022 by the name of their message; they are found in a folder, and are no part of this project.

Each message's schema is published in the message archive of iso20022.org as `camt.053.001.08.xsd` and so on.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from lxml import etree

from settlement.errors import SchemaBroken

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PREFIX: Final = "urn:iso:std:iso:20022:tech:xsd:"
_MESSAGE: Final = re.compile(r"[a-z]{4}\.\d{3}\.\d{3}\.\d{2}", re.ASCII)
"""Names of messages: whatever else a document says that it is names no file."""


class Schemas:
    """The schemas of a folder; None as folder, or one that is not there, has none."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def find(self, message: str) -> etree.XMLSchema | None:
        """The schema of a message such as "camt.053.001.08"; None where it is not at hand. Raises SchemaBroken."""
        if self._folder is None or not _MESSAGE.fullmatch(message):
            return None
        path = self._folder / f"{message}.xsd"
        return _loaded(path) if path.is_file() else None

    def check(self, document: etree._Element, message: str) -> str:
        """What a schema says against a document, "" where nothing, or where there is no schema."""
        schema = self.find(message)
        if schema is None or schema.validate(document):
            return ""
        log: Mapping[int, etree._LogEntry] = schema.error_log  # type: ignore[assignment]  # the stubs know no index
        return f"line {log[0].line}: {plain_words(log[0].message)}"


@cache
def _loaded(path: Path) -> etree.XMLSchema:
    try:
        return etree.XMLSchema(etree.parse(str(path)))
    except (etree.XMLSchemaParseError, etree.XMLSyntaxError, OSError) as error:
        raise SchemaBroken(f"{path.name} is no schema: {error}; fetch it again from iso20022.org") from None


def plain_words(message: str) -> str:
    """A validator's message without the namespaces, which say nothing that the message's name has not said."""
    shown = message
    while (start := shown.find("{" + PREFIX)) >= 0:
        end = shown.find("}", start)
        shown = shown[:start] + shown[end + 1 :]
    return shown[:300]
