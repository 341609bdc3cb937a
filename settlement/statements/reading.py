"""A statement file, whatever its format: told apart by its first bytes, read strictly, named by its SHA-256."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from settlement.errors import StatementTooLarge
from settlement.statements import camt053, mt940
from settlement.statements.model import FILE_BYTES_MAX, checked

if TYPE_CHECKING:
    from settlement.statements.model import Statement
    from settlement.statements.mt940 import Dialect


def digest(content: bytes) -> str:
    """The SHA-256 that names a file, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def read(content: bytes, dialect: Dialect = mt940.STRICT) -> tuple[Statement, ...]:
    """The statements of a file, each of which adds up.

    Raises StatementTooLarge over `FILE_BYTES_MAX`, and StatementRefused, with line and reason, for anything that is not
    exactly a statement: a file is taken whole or not at all.
    """
    if len(content) > FILE_BYTES_MAX:
        raise StatementTooLarge(f"the file has {len(content)} bytes: {FILE_BYTES_MAX} are allowed")
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return checked(camt053.read(content))
    return checked(mt940.read(content, dialect))
