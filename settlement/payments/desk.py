"""Where payment files are made, released and reported on: four eyes, once, by name. It works beside a server.

*Made* means that a person looked at the file and stands behind it; *released* that another one let it go. Before the release
is recorded the bank's folder shows no file, and a file that went out is not written again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from keys.clock import date_of
from settlement import store as settled
from settlement.errors import ReleaseRefused
from settlement.payments import outbox, pain002, store
from settlement.payments.city import city_rails
from settlement.payments.model import Release
from settlement.payments.reports import taken
from settlement.rulebook.book import Rulebook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from keys.clock import Day, UnixMs
    from ledger.store import Connection, Database
    from settlement.items import Item
    from settlement.kept import PaymentFile
    from settlement.payments.model import Outcome, Report
    from settlement.statements.schemas import Schemas

    Also = Callable[[Connection], object]

NAME_CHARACTERS_MAX: Final = 80


@dataclass(frozen=True, slots=True)
class Late:
    """A released payment that the bank can only execute after the day it was meant for."""

    reference: str
    meant: Day
    executed: Day


@dataclass(frozen=True, slots=True)
class Released:
    """A release, and the payments that come late by it."""

    release: Release
    late: tuple[Late, ...]


class PaymentDesk:
    """The desk of one city; `out` is the folder from which banks' files are fetched."""

    def __init__(self, database: Database, out: Path, schemas: Schemas | None = None) -> None:
        self._database = database
        self._out = out
        self._schemas = schemas

    def make(self, day: Day, bank: int, *, by: str, at: UnixMs, also: Also | None = None) -> Release:
        """Stand behind a window's file for a bank; `also` is written in the same transaction, such as a log's entry.

        Raises ReleaseRefused where there is none, or another made it.
        """
        _check_name(by)
        # One at a time: PostgreSQL lets two transactions find that nobody has made it yet.
        with outbox.locked(self._out), self._database.writing() as connection:
            file = _file(connection, day, bank)
            before = store.release_of(connection, day, bank)
            if before is not None:
                if before.made_by != by or before.is_released:
                    raise ReleaseRefused(_already(file.name, before))
                return before
            made = Release(day, bank, file.sha256, by, at)
            store.insert_release(connection, made)
            if also is not None:
                also(connection)
        return made

    def release(self, day: Day, bank: int, *, by: str, at: UnixMs, also: Also | None = None) -> Released:
        """Let a made file go to its bank; once recorded, again gives the same answer and writes nothing.

        Raises ReleaseRefused where nobody made it, where the maker would release it, where another released it, and where
        its schema refuses it; OutputDiffers where another file lies in its place.
        """
        _check_name(by)
        with outbox.locked(self._out):
            with self._database.writing() as connection:
                file = _file(connection, day, bank)
                made = store.release_of(connection, day, bank)
                released = self._checked(file, made, by, at)
                if made is not None and not made.is_released:
                    outbox.lay(self._out, file)
                    store.record_release(connection, released)
                    if also is not None:
                        also(connection)
                payments = [
                    item for item in settled.items_of(connection, day) if item.bank == bank and item.rail
                ]
            outbox.put_out(self._out, file)
        return Released(released, self._late(payments, released.released_at or at))

    def put_out(self, day: Day) -> list[Path]:
        """Finish what a crash left between a window's releases and their files; the places of all released files."""
        with self._database.transaction() as connection:
            released = {one.bank for one in store.releases_of(connection, day) if one.is_released}
            kept = [file for file in settled.payment_files_of(connection, day) if file.bank in released]
        if not kept:
            return []
        with outbox.locked(self._out):
            for file in kept:
                outbox.put_out(self._out, file)
        return [self._out / file.name for file in kept]

    def _checked(self, file: PaymentFile, made: Release | None, by: str, at: UnixMs) -> Release:
        if made is None:
            raise ReleaseRefused(f"nobody made {file.name} yet: one makes it, another releases it")
        if made.is_released:
            if made.released_by != by:
                raise ReleaseRefused(_already(file.name, made))
            return made
        if made.made_by.casefold() == by.casefold():
            raise ReleaseRefused(f"{by} made {file.name}: another one must release it")
        if made.sha256 != file.sha256:
            raise ReleaseRefused(f"{file.name} is not the file that {made.made_by} made: look who changed it")
        if self._schemas is not None and (wrong := pain002.schema_says(file.content, self._schemas)):
            raise ReleaseRefused(f"{file.name} is not valid against its schema: {wrong}")
        return replace(made, released_by=by, released_at=at)

    def _late(self, payments: list[Item], at: UnixMs) -> tuple[Late, ...]:
        rules = city_rails(Rulebook(self._database))
        found = []
        for item in payments:
            if item.rail is not None:
                executed = rules.executed_if_sent(item.rail, item.due, at)
                if executed > item.due:
                    found.append(Late(item.reference, item.due, executed))
        return tuple(found)

    def report(
        self, name: str, content: bytes, at: UnixMs, also: Also | None = None
    ) -> tuple[Report, tuple[Outcome, ...]]:
        """Take a bank's status report in beside a server; see `reports.taken`."""
        with self._database.writing() as connection:
            if also is not None:
                also(connection)
            return taken(connection, name, content, at, self._schemas)


def _file(connection: Connection, day: Day, bank: int) -> PaymentFile:
    file = next((one for one in settled.payment_files_of(connection, day) if one.bank == bank), None)
    if file is None:
        raise ReleaseRefused(f"bank {bank:04d} has no payment file of {date_of(day)}: is the window settled?")
    return file


def _already(name: str, release: Release) -> str:
    if release.is_released:
        return f"{name} was made by {release.made_by} and released by {release.released_by}: it is on its way"
    return f"{name} was made by {release.made_by} already: another one may release it"


def _check_name(by: str) -> None:
    if not (0 < len(by) <= NAME_CHARACTERS_MAX and by.isprintable() and by.strip() == by):
        raise ReleaseRefused(f"{by[:40]!r} is nobody's name: 1 to {NAME_CHARACTERS_MAX} printable characters")
