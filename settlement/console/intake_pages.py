"""What the intake left: a record that was not posted, with its bytes and what they say; an exception, with the tap that raised it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from card.batch import decode_record
from card.errors import CardError
from keys.errors import KeysError
from settlement.breaks.explanations import store
from settlement.breaks.explanations.store import Of
from settlement.console.acting import intake_desk, said
from settlement.console.calls import Page, to
from settlement.console.evidence import record_of, signed_fields
from settlement.console.pages import Pages, back, signed
from settlement.errors import BreakRefused
from settlement.staff.roles import Right

if TYPE_CHECKING:
    from card.batch import TapRecord
    from settlement.console.calls import Answer, Ask
    from settlement.staff.sessions import Session

ROOT: Final = "/console/intake"
BYTES_SHOWN: Final = 2048


def things(chosen: list[str]) -> list[tuple[Of, str]]:
    """What a form means by `quarantine:KEY` and `exception:KEY`; raises BreakRefused."""
    found = []
    for one in chosen:
        of, _, key = one.partition(":")
        if of not in set(Of):
            raise BreakRefused("only quarantined records and exceptions are explained")
        found.append((Of(of), key))
    return found


class IntakePages(Pages):
    """The pages under /console/intake."""

    def pages(self) -> tuple[Page, ...]:
        """Their addresses."""
        return (
            Page("GET", f"{ROOT}/quarantine/{{key}}", Right.LOOK, self.record),
            Page("GET", f"{ROOT}/exception/{{key}}", Right.LOOK, self.exception),
            Page("POST", f"{ROOT}/explain", Right.WORK, self.explain),
        )

    def record(self, ask: Ask, session: Session | None) -> Answer:
        """A quarantined record: why it was not posted, what it claims, and its bytes."""
        key = ask.part("key")[:120]
        with self._desk.database.transaction() as connection:
            row = store.quarantined(connection, key)
            told = store.explanation_of(connection, Of.QUARANTINE, key)
        if row is None:
            return self._missing(ask, session, "No record in quarantine has this number.")
        record: TapRecord | None = None
        wrong = ""
        try:
            record = decode_record(row.raw, row.sequence)
        except (CardError, KeysError) as error:
            wrong = str(error)
        fields, why = signed_fields(record)
        return self._drawing.page(
            "record.html", ask, session, of="quarantine", key=key, row=row, told=told, record=record, fields=fields,
            wrong=wrong or why, raw=row.raw[:BYTES_SHOWN].hex(" ").upper(), cut=len(row.raw) > BYTES_SHOWN, root=ROOT,
        )  # fmt: skip

    def exception(self, ask: Ask, session: Session | None) -> Answer:
        """An exception: what has to be explained, and what the chip signed."""
        key = ask.part("key")[:120]
        with self._desk.database.transaction() as connection:
            row = store.raised(connection, key)
            told = store.explanation_of(connection, Of.EXCEPTION, key)
            record = record_of(connection, row.terminal, row.sequence)[0] if row else None
        if row is None:
            return self._missing(ask, session, "There is no such exception.")
        fields, wrong = signed_fields(record)
        return self._drawing.page(
            "exception.html", ask, session, of="exception", key=key, row=row, told=told, fields=fields, wrong=wrong, record=record,
            root=ROOT,
        )  # fmt: skip

    def explain(self, ask: Ask, session: Session | None) -> Answer:
        """Say what chosen records and exceptions were; they leave the worklist's open ones."""
        chosen, why, who = things(ask.chosen("thing")), ask.said("text"), signed(session)
        subject = " ".join(f"{of.value}:{key}" for of, key in chosen)
        intake_desk(self._desk, said(who, ask, "explained", subject, why)).explain(chosen, who.name, why)
        return to(back(ask, "/console/worklist"))
