"""A statement is put into SQL once a process and kind of database: SQLAlchemy keeps what it has compiled with each engine, and every test opens engines of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.engine.base import Engine
from sqlalchemy.util import LRUCache

if TYPE_CHECKING:
    from sqlalchemy import Dialect

KEPT: Final = 5_000
"""Statements; one engine keeps 500, and the suite has more of them than a server."""


class _Statements:
    """What one engine sees of all that was compiled: statements for another version of another database are none of its."""

    def __init__(self, dialect: Dialect, everything: LRUCache[Any, Any]) -> None:
        self._dialect = dialect
        self._everything = everything

    def _named(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        """SQLAlchemy's own key, whose first part is the engine's dialect: its kind stands for it."""
        return (type(self._dialect), self._dialect.server_version_info, *key[1:])

    def get(self, key: tuple[Any, ...]) -> Any:
        """What was compiled, or None."""
        return self._everything.get(self._named(key))

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        self._everything[self._named(key)] = compiled


def make_statements_once() -> None:
    """From here on engines share what they compile."""
    everything: LRUCache[Any, Any] = LRUCache(KEPT)
    opened = Engine.__init__

    def open_sharing(engine: Engine, *given: Any, **named: Any) -> None:
        opened(engine, *given, **named)
        engine._compiled_cache = _Statements(engine.dialect, everything)  # type: ignore[assignment]

    Engine.__init__ = open_sharing  # type: ignore[method-assign,assignment]
