"""A break's page: what it is, its history, and what people do about it: own, comment, attach, propose, decide."""

from __future__ import annotations

import mimetypes
from typing import TYPE_CHECKING, Final

from ledger.chart import describe
from settlement.breaks.disputes.kept import DisputeState
from settlement.breaks.kept import FILE_BYTES_MAX, Severity, What
from settlement.breaks.proposals.accounts import TARGETS, target
from settlement.breaks.proposals.kept import ProposalKind, ProposalState
from settlement.breaks.store import NO_LINE
from settlement.console.acting import breaks_desk, said
from settlement.console.calls import Page, download, to
from settlement.console.nights import TONES
from settlement.console.pages import Pages, back, number_of
from settlement.errors import BreakRefused, BreakUnknown
from settlement.staff.roles import Right

if TYPE_CHECKING:
    from collections.abc import Callable

    from settlement.console.calls import Answer, Ask
    from settlement.staff.sessions import Session

    Act = Callable[[Ask, Session, str], None]

ROOT: Final = "/console/breaks"
MANY: Final = "/console/worklist/breaks"
_FORM_BYTES: Final = 64 * 1024
_DIGEST_CHARACTERS: Final = 64


class BreakPages(Pages):
    """The pages under /console/breaks."""

    def pages(self) -> tuple[Page, ...]:
        """Their addresses; each act is a form of the break's own page."""
        acts = {
            "comment": (Right.LOOK, self._comment), "owner": (Right.WORK, self._own),
            "attach": (Right.WORK, self._attach), "propose": (Right.WORK, self._propose), "severity": (Right.WORK, self._weigh),
            "reverse": (Right.WORK, self._reverse),
            "withdraw": (Right.WORK, self._withdraw), "approve": (Right.APPROVE, self._approve),
            "reject": (Right.APPROVE, self._reject),
        }  # fmt: skip
        return (
            Page("POST", MANY, Right.WORK, self.many),
            Page("GET", f"{ROOT}/{{break_id}}", Right.LOOK, self.show),
            Page("GET", f"{ROOT}/{{break_id}}/files/{{sha256}}", Right.LOOK, self.file),
            *(
                Page("POST", f"{ROOT}/{{break_id}}/{name}", right, self._acting(act), FILE_BYTES_MAX + _FORM_BYTES if name == "attach" else _FORM_BYTES)
                for name, (right, act) in acts.items()
            ),
        )  # fmt: skip

    def show(self, ask: Ask, session: Session | None) -> Answer:
        """The break."""
        desk = breaks_desk(self._desk)
        try:
            folder = desk.folder(ask.part("break_id"))
        except BreakUnknown as unknown:
            return self._missing(ask, session, str(unknown), "No such break")
        found = folder.found
        assert session is not None  # noqa: S101  the gate lets nobody else in
        return self._drawing.page(
            "break.html", ask, session,
            folder=folder, found=found, root=f"{ROOT}/{found.break_id}", bank=self._desk.bank(found.bank),
            tone=TONES[found.reason], age=desk.age(found, self._desk.ledger.open_window()), line=None if found.line == NO_LINE else found.line,
            waiting=[one for one in folder.proposals if one.state is ProposalState.WAITING], describe=describe,
            targets=[one.name.lower().replace("_", "-") for one in TARGETS], me=session.name, What=What, Kind=ProposalKind,
            severities=list(Severity), claim=next((one for one in folder.disputes if one.state is DisputeState.OPEN), None),
        )  # fmt: skip

    def file(self, ask: Ask, session: Session | None) -> Answer:
        """An attached file, always as a download."""
        wanted = ask.part("sha256")
        try:
            folder = breaks_desk(self._desk).folder(ask.part("break_id"))
            event = next(one for one in folder.events if one.sha256 and one.sha256 == wanted)
            content = breaks_desk(self._desk).file(wanted)
        except (BreakUnknown, StopIteration):
            return self._missing(ask, session, "Nothing like that is attached.", "No such file")
        ending = mimetypes.guess_extension(mimetypes.guess_type(event.said)[0] or "") or ""
        return download(content, f"evidence-{wanted[:12]}{ending}")

    def many(self, ask: Ask, session: Session | None) -> Answer:
        """A bulk action on the breaks that were chosen in the worklist."""
        assert session is not None  # noqa: S101  as above
        chosen = ask.chosen("break_id")
        action = ask.said("act")
        desk = breaks_desk(self._desk, said(session, ask, f"breaks: {action}", f"{len(chosen)} breaks", " ".join(chosen)))  # fmt: skip
        if action == "take":
            desk.assign(chosen, session.name, session.name)
        elif action == "give back":
            desk.assign(chosen, "", session.name)
        elif action == "comment":
            desk.comment(chosen, ask.said("text"), session.name)
        else:
            raise BreakRefused("choose what to do with them: take, give back or comment")
        return to(back(ask, "/console/worklist"))

    def _acting(self, act: Act) -> Callable[[Ask, Session | None], Answer]:
        def acting(ask: Ask, session: Session | None) -> Answer:
            assert session is not None  # noqa: S101  as above
            break_id = ask.part("break_id")
            act(ask, session, break_id)
            return to(f"{ROOT}/{break_id}")

        return acting

    def _comment(self, ask: Ask, session: Session, break_id: str) -> None:
        text = ask.said("text")
        breaks_desk(self._desk, said(session, ask, "break commented", break_id, text)).comment([break_id], text, session.name)  # fmt: skip

    def _own(self, ask: Ask, session: Session, break_id: str) -> None:
        owner = session.name if ask.said("owner") == "me" else ""
        breaks_desk(self._desk, said(session, ask, "break assigned", break_id, owner)).assign([break_id], owner, session.name)  # fmt: skip

    def _attach(self, ask: Ask, session: Session, break_id: str) -> None:
        if not ask.uploads:
            raise BreakRefused("choose a file first")
        for upload in ask.uploads:
            name = upload.name.replace("\\", "/").rpartition("/")[2]
            entry = said(session, ask, "file attached", break_id, name)
            breaks_desk(self._desk, entry).attach(break_id, name, upload.content, session.name)

    def _propose(self, ask: Ask, session: Session, break_id: str) -> None:
        why, code, number = ask.said("why"), ask.said("against"), ask.said("number")
        desk = breaks_desk(self._desk, said(session, ask, "entry proposed", break_id, f"{code or 'write-off'} {number}: {why}"))  # fmt: skip
        if not code:
            desk.propose_write_off(break_id, session.name, why)
            return
        if not (number.isascii() and number.isdigit() and len(number) < 16):  # noqa: PLR2004  50 bits
            raise BreakRefused("name the account by its number: digits only")
        desk.propose_adjustment(
            break_id, target(code, int(number), self._desk.participants), session.name, why
        )

    def _weigh(self, ask: Ask, session: Session, break_id: str) -> None:
        wanted, why = number_of(ask.said("severity")), ask.said("why")
        if wanted not in set(Severity):
            raise BreakRefused("a break weighs low, medium or high")
        entry = said(session, ask, "severity set", break_id, f"{Severity(wanted).name.lower()}: {why}")
        breaks_desk(self._desk, entry).set_severity([break_id], Severity(wanted), session.name, why)

    def _reverse(self, ask: Ask, session: Session, break_id: str) -> None:
        number, why = self._number(ask, break_id), ask.said("why")
        entry = said(session, ask, "reversal proposed", f"{break_id} {number}", why)
        breaks_desk(self._desk, entry).propose_reversal(number, session.name, why)

    def _approve(self, ask: Ask, session: Session, break_id: str) -> None:
        number = self._number(ask, break_id)
        breaks_desk(self._desk, said(session, ask, "entry approved", f"{break_id} {number}")).approve(
            number, session.name, ask.said("why") or "approved"
        )

    def _reject(self, ask: Ask, session: Session, break_id: str) -> None:
        number = self._number(ask, break_id)
        entry = said(session, ask, "entry rejected", f"{break_id} {number}", ask.said("why"))
        breaks_desk(self._desk, entry).reject(number, session.name, ask.said("why"))

    def _withdraw(self, ask: Ask, session: Session, break_id: str) -> None:
        number = self._number(ask, break_id)
        entry = said(session, ask, "entry withdrawn", f"{break_id} {number}", ask.said("why"))
        breaks_desk(self._desk, entry).withdraw(number, session.name, ask.said("why"))

    def _number(self, ask: Ask, break_id: str) -> int:
        """The proposal of this very break that a form means."""
        wanted = ask.said("proposal")
        for one in breaks_desk(self._desk).folder(break_id).proposals:
            if str(one.number) == wanted:
                return one.number
        raise BreakUnknown(f"{break_id} has no proposal {wanted[:20]}")
