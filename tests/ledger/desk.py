"""A city on a temporary disk, cards in pockets, and terminals whose every byte a test decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING

from card import purse
from card.batch import (
    CONTENT_TYPE,
    FIRST_DIGEST,
    Context,
    RecordStatus,
    TapRecord,
    digest,
    encode_batch,
    encode_record,
)
from card.layout import Concession, TapKind
from card.purse import Change
from hebat.demo import town
from hebat.issuing import Issued, Issuer
from hebat.story_clock import StoryClock
from hebat.wiring import City
from keys import envelope
from keys.clock import UnixMs, day_of, moment
from keys.identity import TerminalIdentity, TerminalRole, read_certificate
from keys.money import Rupiah
from keys.vault import Role
from tests.founding import copy_of_founded, found

if TYPE_CHECKING:
    from pathlib import Path

    from hebat.folder import Folder
    from ledger.intake.receipt import Answer

DAY = date(2026, 11, 18)
NOON = moment(datetime(2026, 11, 18, 12, 0))  # noqa: DTZ001  the city's wall clock
OPERATOR, MERCHANT = town.OPERATORS[0], 502


@dataclass
class Desk:
    """A terminal without a program: it signs what a test gives it."""

    city: City
    number: int
    identity: TerminalIdentity
    sequence: int = 1
    first: int = 1
    previous: bytes = FIRST_DIGEST
    records: list[TapRecord] = field(default_factory=list)

    def tap(
        self, card: Issued, kind: TapKind, amount: int, *, at: UnixMs | None = None, confirmed: bool = True,
        commits: bool = True, rules: tuple[str, ...] = (), hold: int = 0,
    ) -> TapRecord:  # fmt: skip
        """A real transaction on a real chip, as a record with this desk's next number."""
        role = Role.LOAD if kind.credits_card else Role.DEBIT
        moment_ = at if at is not None else self.city.clock.now()
        card.chip.leave_field()
        open_ = purse.open_card(card.chip, self.city.vault, role)
        intent = open_.stage(Change(kind, Rupiah(amount), None, self.number, self.sequence, moment_))
        tmv = open_.commit().tmv if commits else b""
        tariff = town.CONFIGURATION.tariffs[0].version
        record = TapRecord(
            self.sequence, RecordStatus.CONFIRMED if confirmed else RecordStatus.UNCONFIRMED, kind, card.chip.uid,
            intent.tmc, tmv if confirmed else b"", intent.tmi, intent.change.signed_amount, moment_, intent.seen.tmc,
            intent.seen.tmv, Context("1", "Simpang Lima", "", tariff, rules, hold),
        )  # fmt: skip
        self.add(record)
        return record

    def add(self, record: TapRecord) -> None:
        """Put a record into the next batch."""
        self.records.append(record)
        self.sequence += 1

    def body(self, raws: list[bytes] | None = None) -> bytes:
        """The next batch, signed."""
        records = raws if raws is not None else [encode_record(record) for record in self.records]
        payload = encode_batch(self.number, self.first, self.previous, self.city.clock.now(), records)
        return self.seal(payload)

    def seal(self, payload: bytes, content_type: str = CONTENT_TYPE) -> bytes:
        """Bytes in this terminal's name."""
        kid = self.number.to_bytes(4, "big")
        return envelope.seal(payload, kid=kid, sign=self.identity.sign, content_type=content_type)

    def next_batch(self, body: bytes) -> None:
        """The batch was taken: go on behind it."""
        self.first, self.previous = self.sequence, digest(body)
        self.records.clear()

    def send(self) -> Answer:
        """Send what is there, and go on."""
        body = self.body()
        answer = self.city.intake.receive(body)
        self.next_batch(body)
        return answer


@dataclass
class Scene:
    """An open city with its clock at noon."""

    city: City
    clock: StoryClock
    issuer: Issuer
    folder: Path
    serial: int = 0

    def card(
        self, concession: Concession = Concession.GENERAL, loaded: int = 0, *, registered: bool = False
    ) -> Issued:
        """A card, with value from a kiosk where asked."""
        self.serial += 1
        issued = self.issuer.issue(9, self.serial, concession, day_of(DAY), registered=registered)
        self.issuer.register([issued])
        if loaded:
            kiosk = self.desk(3000 + self.serial, TerminalRole.KIOSK, town.AGENT)
            kiosk.tap(issued, TapKind.LOAD, loaded)
            kiosk.send()
        return issued

    def desk(
        self, number: int = 1001, role: TerminalRole = TerminalRole.VALIDATOR, owner: int = OPERATOR
    ) -> Desk:
        """An enrolled terminal."""
        identity = TerminalIdentity(self.folder / f"desk-{number}")
        pem = self.city.authority.enrol(identity.request(), number, role, owner)
        self.city.registry.add_terminal(read_certificate(pem, self.city.root, self.clock.now()))
        return Desk(self.city, number, identity)


def open_scene(folder: Folder, *, fresh: bool) -> Scene:
    """Found (or open again) a city in a folder."""
    clock = StoryClock(NOON)
    if fresh and not folder.has_ledger:
        copy_of_founded(folder, NOON, "demo")
    elif fresh:
        found(folder, clock, "demo")
    city = City(folder, town.CONFIGURATION, clock)
    return Scene(city, clock, Issuer(city, 1), folder.root / "desks")
