"""A statement file, whatever its format: told apart by its first bytes, read strictly, named by its SHA-256."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from settlement.errors import StatementRefused, StatementTooLarge
from settlement.statements import camt, mt940
from settlement.statements.dialects import STRICT
from settlement.statements.mapped import reading as mapped
from settlement.statements.model import FILE_BYTES_MAX, checked
from settlement.statements.schemas import Schemas

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from settlement.statements.dialects import Dialect
    from settlement.statements.mapped.mapping import Mapping
    from settlement.statements.model import Reading, Statement

_PEEK: Final = 65_536
_ACCOUNT: Final = re.compile(rb"^:25:([^\r\n]{1,35})", re.MULTILINE)
_MT940: Final = re.compile(rb"^:(20|25|28C?|60[FM]|61|62[FM]):", re.MULTILINE)


def digest(content: bytes) -> str:
    """The SHA-256 that names a file, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads any statement file. `dialect` is asked with the account that an MT940 names, "" where it names none."""

    schemas: Schemas = field(default_factory=Schemas)
    dialect: Callable[[str], Dialect] = lambda _account: STRICT
    mappings: Sequence[Mapping] = ()

    def read(self, content: bytes) -> Reading:
        """What a file says, each of its statements adding up.

        Raises StatementTooLarge over `FILE_BYTES_MAX`, and StatementRefused, with line and reason, for anything that is
        not exactly a statement: a file is taken whole or not at all.
        """
        if len(content) > FILE_BYTES_MAX:
            raise StatementTooLarge(f"the file has {len(content)} bytes: {FILE_BYTES_MAX} are allowed")
        told = self._told(content)
        return told if told.notices else replace(told, statements=checked(told.statements))

    def _told(self, content: bytes) -> Reading:
        start = content[:_PEEK]
        if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            return camt.read(content, self.schemas)
        if content.strip() and not _MT940.search(start):
            return mapped.read(content, self._mapping(content))
        found = _ACCOUNT.search(start)
        return mt940.read(content, self.dialect(found[1].decode("utf-8", "replace").strip() if found else ""))

    def _mapping(self, content: bytes) -> Mapping:
        """The mapping whose header a table has; of several the one that names most of it."""
        fitting = [one for one in self.mappings if mapped.fits(content, one)]
        fitting.sort(key=lambda one: len(one.header))
        if not fitting:
            names = ", ".join(one.name for one in self.mappings) or "there is none"
            raise StatementRefused(
                f"it is no XML and no MT940, and no mapping knows its header ({names}): look whether it is the bank's file, or make a mapping for it"
            )
        if len(fitting) > 1 and len(fitting[-1].header) == len(fitting[-2].header):
            raise StatementRefused(
                f"the mappings {fitting[-2].name} and {fitting[-1].name} fit alike: name the one that is meant"
            )
        return fitting[-1]


def read(content: bytes, dialect: Dialect = STRICT) -> tuple[Statement, ...]:
    """The statements of a file without mappings or schemas; raises as `Reader.read` does."""
    return Reader(dialect=lambda _account: dialect).read(content).statements
