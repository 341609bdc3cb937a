"""Where statement files are handed in: by the night's folder, by the console, by a command. It works beside a server."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from settlement.errors import RuleRefused, StatementRefused
from settlement.rulebook.book import Rulebook
from settlement.rulebook.model import RuleKind
from settlement.statements import store
from settlement.statements.dialects import BY_NAME, STRICT, dialect_of
from settlement.statements.folder import file_of
from settlement.statements.inbox import TakeIn
from settlement.statements.mapped.mapping import mapping_of
from settlement.statements.reading import Reader
from settlement.statements.schemas import Schemas

if TYPE_CHECKING:
    from collections.abc import Mapping as Dict
    from pathlib import Path

    from keys.clock import Day
    from ledger.store import Database
    from settlement.participants import Participants
    from settlement.statements.dialects import Dialect
    from settlement.statements.folder import Incoming
    from settlement.statements.kept import KeptFile
    from settlement.statements.mapped.mapping import Mapping


class StatementDesk:
    """The desk of one city."""

    def __init__(self, database: Database, participants: Participants, schemas: Path | None = None) -> None:
        self._database = database
        self._participants = participants
        self._schemas = Schemas(schemas)
        self.rulebook = Rulebook(database)

    def mappings(self) -> list[Mapping]:
        """The mappings that hold now; raises RuleRefused where a page is none."""
        return [
            mapping_of(page.name, page.version, page.told) for page in self.rulebook.current(RuleKind.MAPPING)
        ]

    def reader(self, mapping: str = "") -> Reader:
        """What reads a file by the rules that hold now; with a mapping's name, tables by that one alone."""
        mappings = [one for one in self.mappings() if mapping in {"", one.name}]
        if mapping and not mappings:
            raise RuleRefused(f"there is no mapping {mapping!r}: `hebat settlement mappings list` shows them")
        chosen = {page.name: str(page.told) for page in self.rulebook.current(RuleKind.DIALECT)}
        return Reader(self._schemas, partial(self._dialect, chosen), tuple(mappings))

    def _dialect(self, chosen: Dict[str, str], account: str) -> Dialect:
        """The dialect of the bank that holds an account: the one that staff chose, else the one that its BIC has."""
        bank = self._participants.bank_with_account(account)
        if bank is None:
            return STRICT
        name = chosen.get(f"{bank.code:04d}", "")
        return BY_NAME.get(name, STRICT) if name else dialect_of(bank.bic)

    def take(self, path: Path, night: Day, mapping: str = "") -> KeptFile:
        """Take a file in; the verdict. Raises OSError where it cannot be read."""
        return self._keep(file_of(path, self.reader(mapping).read), night)

    def _keep(self, file: Incoming, night: Day) -> KeptFile:
        unit = TakeIn(file, self._participants, night)
        with self._database.writing() as connection:
            unit.decide(connection)
            return unit.keep(connection)

    def content(self, sha256: str) -> bytes:
        """The bytes of a kept file by its digest, or the beginning of it; raises StatementRefused."""
        with self._database.transaction() as connection:
            found = store.digests_like(connection, sha256)
            if len(found) != 1:
                raise StatementRefused(f"{len(found)} kept files have a digest that begins with {sha256!r}")
            return store.content_of(connection, found[0]) or b""
