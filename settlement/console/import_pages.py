"""Statements taken in by hand: files dropped on a page, or chosen; each with its verdict, its line and its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from settlement.console.acting import said
from settlement.console.calls import FORM_BYTES_MAX, Page
from settlement.console.pages import Pages
from settlement.errors import StatementRefused
from settlement.staff.roles import Right
from settlement.statements import store
from settlement.statements.desk import StatementDesk
from settlement.statements.folder import received
from settlement.statements.inbox import TakeIn
from settlement.statements.kept import Verdict
from settlement.statements.model import FILE_BYTES_MAX

if TYPE_CHECKING:
    from settlement.console.calls import Answer, Ask
    from settlement.staff.sessions import Session
    from settlement.statements.kept import KeptFile

ROOT: Final = "/console/import"
FILES_SHOWN: Final = 50
NAME_CHARACTERS_MAX: Final = 200
VERDICTS: Final = {Verdict.ACCEPTED: "green", Verdict.REFUSED: "red", Verdict.DUPLICATE: "amber"}


def plain_name(name: str) -> str:
    """A file's name without folders and without what is not to be printed: it is shown, and never a path."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(letter for letter in last if letter.isprintable())[:NAME_CHARACTERS_MAX].strip(". ")
    return kept or "statement"


class ImportPages(Pages):
    """The page of statements."""

    def pages(self) -> tuple[Page, ...]:
        """Its addresses."""
        return (
            Page("GET", ROOT, Right.LOOK, self.show),
            Page("POST", ROOT, Right.WORK, self.take, FILE_BYTES_MAX + FORM_BYTES_MAX),
        )

    def show(self, ask: Ask, session: Session | None, taken: tuple[KeptFile, ...] = ()) -> Answer:
        """The files that came last, and where to drop more."""
        with self._desk.database.transaction() as connection:
            files = store.all_files(connection, FILES_SHOWN)
        return self._drawing.page(
            "import.html", ask, session, taken=taken, files=files, verdicts=VERDICTS, root=ROOT,
            mappings=StatementDesk(self._desk.database, self._desk.participants).mappings(),
        )  # fmt: skip

    def take(self, ask: Ask, session: Session | None) -> Answer:
        """Take files in, one unit each: a broken one is kept with its reason and hinders no other."""
        assert session is not None  # noqa: S101  the gate lets nobody else in
        if not ask.uploads:
            raise StatementRefused("no file was sent: drop one on the page, or choose one")
        desk = StatementDesk(self._desk.database, self._desk.participants)
        reader = desk.reader(ask.said("mapping"))
        night = self._desk.ledger.open_window()
        files = [received(plain_name(one.name), one.content, reader.read) for one in ask.uploads]
        taken = tuple(
            self._desk.do(
                TakeIn(file, self._desk.participants, night), said(session, ask, "statement taken in", file.name, file.sha256)
            )
            for file in sorted(files, key=lambda file: file.order)
        )  # fmt: skip
        return self.show(ask, session, taken)
