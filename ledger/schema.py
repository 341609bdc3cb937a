"""The columns of this project's tables: each has a value in every row, and no key counts by itself; a row type names those that it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Integer

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlalchemy.types import TypeEngine

    Kind = TypeEngine[Any] | type[TypeEngine[Any]]


def partition() -> Column[int]:
    """The first column of every primary key."""
    return key("partition", Integer)


def key(name: str, kind: Kind) -> Column[Any]:
    """A column of the primary key."""
    return Column(name, kind, primary_key=True, autoincrement=False, nullable=False)


def keys(kind: Kind, *names: str) -> list[Column[Any]]:
    """Columns of the primary key that are of one kind, in their order."""
    return [key(name, kind) for name in names]


def field(name: str, kind: Kind, **options: Any) -> Column[Any]:
    """A column that always has a value; options are those of `sqlalchemy.Column`."""
    return Column(name, kind, nullable=False, **options)


def each(kind: Kind, *names: str) -> list[Column[Any]]:
    """Columns of one kind that always have a value, in their order."""
    return [field(name, kind) for name in names]


def columns_of(table: Table, row: type[Any]) -> list[Column[Any]]:
    """The columns that a slotted row type holds, in its order."""
    return [table.c[name] for name in row.__slots__]


def values_of(row: Any) -> dict[str, Any]:
    """What a slotted row holds, by column."""
    return {name: getattr(row, name) for name in type(row).__slots__}
