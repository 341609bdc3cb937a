"""The side-by-side view: a bank's line on the left, what may prove it on the right; and down to the taps behind an item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from keys.clock import UnixMs
from keys.money import Sen
from ledger.chart import describe
from ledger.intake import store as intake
from ledger.transfer import Kind
from settlement.breaks import store as breaks
from settlement.console.acting import matching_desk, said
from settlement.console.calls import Page, to
from settlement.console.evidence import record_of, signed_fields
from settlement.console.lines import store
from settlement.console.pages import Pages, number_of
from settlement.errors import MatchRefused
from settlement.matching.finding import store as finding
from settlement.matching.kept import SuggestionState
from settlement.staff.roles import Right
from settlement.statements.kept import LineKey

if TYPE_CHECKING:
    from settlement.console.calls import Answer, Ask
    from settlement.staff.sessions import Session

LINES: Final = "/console/lines"


def line_key(ask: Ask) -> LineKey:
    """The line that an address names."""
    return LineKey(
        ask.part("sha256")[:64], min(number_of(ask.part("statement")), 1 << 31), min(number_of(ask.part("line")), 1 << 31)
    )  # fmt: skip


class LinePages(Pages):
    """The pages of lines, items and taps."""

    def pages(self) -> tuple[Page, ...]:
        """Their addresses."""
        here = f"{LINES}/{{sha256}}/{{statement}}/{{line}}"
        return (
            Page("GET", here, Right.LOOK, self.line),
            Page("POST", f"{here}/match", Right.WORK, self.match),
            Page("POST", f"{here}/unmatch", Right.WORK, self.unmatch),
            Page("POST", f"{here}/accept", Right.WORK, self.accept),
            Page("POST", f"{here}/reject", Right.WORK, self.reject),
            Page("GET", "/console/items/{reference}", Right.LOOK, self.item),
            Page("GET", "/console/taps/{partition}/{uid}/{tmc}", Right.LOOK, self.tap),
        )

    def line(self, ask: Ask, session: Session | None) -> Answer:
        """A line and what may prove it."""
        key = line_key(ask)
        with self._desk.database.transaction() as connection:
            line = store.line_of(connection, key)
            if line is None:
                return self._missing(ask, session, "No statement that was taken in has this line.")
            match = finding.match_of_line(connection, key)
            waiting = [] if match else store.suggestions_of(connection, key, SuggestionState.WAITING)
            told: dict[str, Any] = {
                "match": match,
                "matched": store.items_with(connection, match.items) if match else [],
                "suggestions": [(one, store.item_of(connection, one.reference)) for one in waiting],
                "candidates": [] if match else store.candidates(connection, line),
                "breaks": breaks.open_of(connection, [], [key]),
            }
        return self._drawing.page(
            "line.html", ask, session, line=line, root=f"{LINES}/{key.sha256}/{key.statement}/{key.number}",
            bank=self._desk.bank(line.bank), Sen=Sen, **told,
        )  # fmt: skip

    def match(self, ask: Ask, session: Session | None) -> Answer:
        """Match the line with the items that were chosen."""
        assert session is not None  # noqa: S101  the gate lets nobody else in
        key, chosen, why = line_key(ask), ask.chosen("reference"), ask.said("why")
        entry = said(session, ask, "matched by hand", str(key), f"{' '.join(chosen)}: {why}")
        matching_desk(self._desk, entry).pair(chosen, [key], session.name, why)
        return self._back(key)

    def unmatch(self, ask: Ask, session: Session | None) -> Answer:
        """Undo the line's match."""
        assert session is not None  # noqa: S101  as above
        key = line_key(ask)
        with self._desk.database.transaction() as connection:
            match = finding.match_of_line(connection, key)
        if match is None:
            raise MatchRefused("this line is not matched: somebody undid it before you")
        entry = said(session, ask, "match undone", f"match {match.number}", ask.said("why"))
        matching_desk(self._desk, entry).undo(match.number, session.name, ask.said("why"))
        return self._back(key)

    def accept(self, ask: Ask, session: Session | None) -> Answer:
        """Accept a suggestion."""
        assert session is not None  # noqa: S101  as above
        number = number_of(ask.said("suggestion"))
        matching_desk(self._desk, said(session, ask, "suggestion accepted", str(number))).accept(
            number, session.name
        )
        return self._back(line_key(ask))

    def reject(self, ask: Ask, session: Session | None) -> Answer:
        """Reject a suggestion."""
        assert session is not None  # noqa: S101  as above
        number, why = number_of(ask.said("suggestion")), ask.said("why")
        matching_desk(self._desk, said(session, ask, "suggestion rejected", str(number), why)).reject(
            number, session.name, why
        )
        return self._back(line_key(ask))

    @staticmethod
    def _back(key: LineKey) -> Answer:
        return to(f"{LINES}/{key.sha256}/{key.statement}/{key.number}")

    def item(self, ask: Ask, session: Session | None) -> Answer:
        """An expected item: its position's party, its match, and the journal's rows behind it."""
        reference = ask.part("reference")[:35]
        with self._desk.database.transaction() as connection:
            item = store.item_of(connection, reference)
            if item is None:
                return self._missing(ask, session, "Nothing is expected under this reference.")
            match = finding.match_of_item(connection, reference)
            rows = store.transfers_of(connection, item)
        return self._drawing.page(
            "item.html", ask, session, item=item, match=match, rows=rows, bank=self._desk.bank(item.bank),
            describe=describe, Kind=Kind, limit=store.TRANSFERS_MAX,
        )  # fmt: skip

    def tap(self, ask: Ask, session: Session | None) -> Answer:
        """A tap: what the books say, and every field of what the chip signed, its bytes beside it."""
        partition, uid, tmc = (number_of(ask.part(name)) for name in ("partition", "uid", "tmc"))
        if max(partition, uid, tmc) >= 1 << 62:
            return self._missing(ask, session, "No card has this number.")
        with self._desk.database.transaction() as connection:
            tap = intake.tap_at(connection, partition, uid, tmc)
            if tap is None:
                return self._missing(ask, session, "No tap of this card has this counter.")
            record, batch = record_of(connection, tap.terminal, tap.sequence)
        fields, wrong = signed_fields(record)
        return self._drawing.page(
            "tap.html", ask, session, tap=tap, record=record, batch=batch, fields=fields, wrong=wrong,
            when=UnixMs,
        )  # fmt: skip
