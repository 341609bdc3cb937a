"""Who takes part, as pages of the rulebook: one a party, so that each has its own history. Parties come and change; none leaves.

A party that was there stays, for the books owe it or are owed by it. A new account of somebody who is paid takes two people: a
changed account is how payments are stolen.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from keys.quoting import quoted
from ledger.intake.posting import CITY
from settlement.errors import ParticipantInvalid
from settlement.participants import Agent, Bank, City, Merchant, MerchantClass, Operator, Participants, Party
from settlement.rulebook.model import RuleKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from keys.clock import UnixMs
    from settlement.rulebook.book import Rulebook
    from settlement.rulebook.model import Page

APPROVER: Final = "approved_by"
WHERE_PAID: Final = ("account", "bank", "bic")


class PartyKind(StrEnum):
    """What a party is."""

    BANK = "bank"
    OPERATOR = "operator"
    MERCHANT = "merchant"
    AGENT = "agent"
    CITY = "city"


FIELDS: Final[Mapping[PartyKind, Mapping[str, type]]] = {
    PartyKind.BANK: {"code": int, "name": str, "bic": str, "account": str},
    PartyKind.OPERATOR: {"number": int, "name": str, "bank": int, "account": str},
    PartyKind.MERCHANT: {"number": int, "name": str, "bank": int, "account": str, "class": str},
    PartyKind.AGENT: {"number": int, "name": str, "bank": int, "account": str},
    PartyKind.CITY: {"name": str, "bank": int, "account": str},
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One party as somebody wrote it: exactly the fields of its kind. Raises ParticipantInvalid."""

    kind: PartyKind
    told: Mapping[str, Any]

    def __post_init__(self) -> None:
        """Complain of the first field that is not as it must be."""
        fields, where = FIELDS[self.kind], f"{self.kind} {quoted(self.told.get('name', ''))}"
        for field, of in fields.items():
            if type(self.told.get(field)) is not of:
                what = "a whole number" if of is int else "a text"
                raise ParticipantInvalid(f"{where}: {field} must be there, and is {what}")
        unknown = sorted(set(self.told) - set(fields))
        if unknown:
            raise ParticipantInvalid(
                f"{where}: there is no field {quoted(unknown[0])}; {', '.join(fields)} are all"
            )
        self.party()

    @property
    def name(self) -> str:
        """The page that it is, such as `merchant 501`."""
        if self.kind is PartyKind.CITY:
            return str(self.kind)
        if self.kind is PartyKind.BANK:
            return f"{self.kind} {self.told['code']:04d}"
        return f"{self.kind} {self.told['number']}"

    def party(self) -> Bank | Party:
        """The party; raises ParticipantInvalid."""
        told = self.told
        if self.kind is PartyKind.BANK:
            return Bank(told["code"], told["name"], told["bic"], told["account"])
        known = (told["name"], told["bank"], told["account"])
        match self.kind:
            case PartyKind.OPERATOR:
                return Operator(told["number"], *known)
            case PartyKind.AGENT:
                return Agent(told["number"], *known)
            case PartyKind.CITY:
                return City(CITY, *known)
            case PartyKind.MERCHANT:
                return Merchant(told["number"], *known, _class_of(told["class"]))


def _class_of(code: str) -> MerchantClass:
    try:
        return MerchantClass(code)
    except ValueError:
        raise ParticipantInvalid(
            f"there is no merchant class {quoted(code)}: {', '.join(MerchantClass)}"
        ) from None


def participants_of(entries: Iterable[Entry]) -> Participants:
    """All of them together; raises ParticipantInvalid, also where no city is among them."""
    found: dict[type, list[Any]] = {kind: [] for kind in (Bank, Operator, Merchant, Agent, City)}
    for entry in entries:
        party = entry.party()
        found[type(party)].append(party)
    if len(found[City]) != 1:
        raise ParticipantInvalid("there must be one city: who pays the subsidies")
    return Participants(
        banks=found[Bank], operators=found[Operator], merchants=found[Merchant], agents=found[Agent],
        city=found[City][0],
    )  # fmt: skip


def entries_of(pages: Iterable[Page]) -> list[Entry]:
    """The parties of a rulebook's newest pages."""
    return [
        Entry(PartyKind(page.name.partition(" ")[0]), {name: value for name, value in page.told.items() if name != APPROVER})
        for page in pages
    ]  # fmt: skip


def enter(
    book: Rulebook, entries: Sequence[Entry], *, author: str, approver: str, reason: str, at: UnixMs
) -> list[Page]:
    """Keep new and changed parties, all of them or none; the pages that are new.

    Raises ParticipantInvalid where the whole would not hold together, where a page is written twice, or where somebody's account
    would change by one person's word. `approver` is empty, or another than `author`.
    """
    held = {one.name: one for one in entries_of(book.current(RuleKind.PARTICIPANT))}
    meant = {one.name: one for one in entries}
    if len(meant) != len(entries):
        raise ParticipantInvalid("a party is told twice: leave one of them out")
    if approver == author:
        raise ParticipantInvalid("who approves is another than who enters")
    participants_of({**held, **meant}.values())
    changed = {
        name: one.told for name, one in meant.items() if name not in held or held[name].told != one.told
    }
    for name, told in changed.items():
        if (
            name in held
            and not approver
            and any(held[name].told.get(field) != told.get(field) for field in WHERE_PAID)
        ):
            raise ParticipantInvalid(
                f"{name} would be paid elsewhere from now on: that takes a second person, --approved-by"
            )
    approved = {APPROVER: approver} if approver else {}
    contents = {name: {**told, **approved} for name, told in changed.items()}
    return book.add_all(RuleKind.PARTICIPANT, contents, author=author, reason=reason, at=at)
