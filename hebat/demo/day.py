"""The demo, end to end: found a city, run a planned day, run the night, look at what is left."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from datetime import time as wall_time
from typing import TYPE_CHECKING, Final

from hebat import laws
from hebat.application import application
from hebat.bundles.office import first_bundles
from hebat.demo import banks, town
from hebat.demo.figures import card_shown
from hebat.demo.members import Member, members
from hebat.demo.partner_banks import OPENING, PartnerBanks
from hebat.demo.plan import Action, Plan, make_plan
from hebat.demo.play import Attackers, Diary, Play
from hebat.demo.pockets import Pockets
from hebat.demo.report import DEMO_PIN
from hebat.fleet import enrol
from hebat.founding import found
from hebat.issuing import Issued, Issuer
from hebat.serving import LoopbackServer
from hebat.story_clock import StoryClock
from hebat.wiring import City
from keys.clock import Day, UnixMs, day_of, moment
from keys.money import Sen
from ledger.chain.store import read_documents
from ledger.intake import store
from settlement.store import payment_files_of
from settlement.view import NightView, view
from terminals.fares import TRANS_SEMARANG_2022
from terminals.places import semarang_tariff

if TYPE_CHECKING:
    from contextlib import ExitStack
    from datetime import date

    from hebat.demo.banks import Planted
    from hebat.demo.partner_banks import Side
    from hebat.folder import Folder
    from hebat.laws import Finding
    from hebat.progress import Progress
    from terminals.terminal import Terminal

FOUNDED_AT: Final = wall_time(3, 30)
CLOSED_AT: Final = wall_time(23, 5)
LATE_AT: Final = wall_time(23, 20)
NIGHT_AT: Final = wall_time(23, 50)
MAKER: Final = "maker, settlement"
CHECKER: Final = "checker, settlement"


@dataclass(frozen=True, slots=True)
class DemoDay:
    """What a demo day left, to be reported."""

    city: City
    cards: list[Issued]
    diary: Diary
    night: NightView
    planted: list[Planted]
    findings: list[Finding]
    seconds: float
    seed: int
    day: date
    address: str
    staff: tuple[Member, ...]
    sides: list[Side]
    pockets: Pockets


def run(
    stack: ExitStack, folder: Folder, day: date, seed: int, cards: int, progress: Progress, port: int = 0
) -> DemoDay:
    """Run the demo; its city stays open while the stack does.

    Raises InputRefused where the folder holds a city already.
    """
    started = time.monotonic()
    plan = make_plan(day, seed, cards)
    clock = StoryClock(moment(datetime.combine(day, FOUNDED_AT)))
    with progress.step("Key ceremony and terminal authority", 1) as told:
        found(folder, clock, "demo")
        partners = PartnerBanks(folder, town.PARTICIPANTS, clock)
        partners.start(stack, folder, seed)
        city = stack.enter_context(City(folder, town.CONFIGURATION, clock))
        first_bundles(city, semarang_tariff())
        told(1)
    server = stack.enter_context(LoopbackServer(application(city), port))
    terminals = _enrol(stack, city, server.address, progress)
    issued = _issue(city, plan, seed, progress)
    play = Play(plan, issued, terminals, clock)
    pockets = Pockets(city, partners, issued, clock, server.address)
    play.beside(pockets.acts())
    with progress.step("Service day: loads, fares, sales", len(plan.events)) as told:
        play.run(told)
        play.end_shift(late=False)
    _attack(city, server.address, clock, play, issued)
    planted = _night(city, day_of(day), partners, play, progress)
    _give_pin(city, issued)
    night = view(city.ledger.database, day_of(day))
    assert night is not None  # noqa: S101  the night has just run
    with progress.step("The eleven laws", 1) as told:
        evidence = laws.Evidence(city, issued, play.diary.records, _sides(partners, planted))
        findings = laws.look(evidence)
        told(1)
    staff = members(city.staff_desk.office)
    seconds = time.monotonic() - started
    return DemoDay(
        city,
        issued,
        play.diary,
        night,
        planted,
        findings,
        seconds,
        seed,
        day,
        server.address,
        staff,
        partners.sides(),
        pockets,
    )


def _enrol(stack: ExitStack, city: City, address: str, progress: Progress) -> dict[Action, list[Terminal]]:
    posts = {Action.FARE: town.buses(loads=True), Action.SALE: town.tills(), Action.LOAD: [town.kiosk()]}
    terminals: dict[Action, list[Terminal]] = {action: [] for action in posts}
    with progress.step("Terminals enrolled", sum(map(len, posts.values()))) as told:
        for action, kind in posts.items():
            for post in kind:
                terminals[action].append(stack.enter_context(enrol(city, post, address, TRANS_SEMARANG_2022)))
                told(sum(map(len, terminals.values())))
    return terminals


def _issue(city: City, plan: Plan, seed: int, progress: Progress) -> list[Issued]:
    issuer, today = Issuer(city, seed), day_of(plan.day)
    issued = []
    with progress.step("Cards personalised", len(plan.holders)) as told:
        for number, holder in enumerate(plan.holders, 1):
            card = issuer.issue(
                holder.issuer, holder.serial, holder.concession, today, registered=holder.registered
            )
            issued.append(card)
            told(number)
        issuer.register(issued)
    return issued


def _attack(city: City, address: str, clock: StoryClock, play: Play, cards: list[Issued]) -> None:
    """A forged batch, and a recorded one sent again."""
    attackers = Attackers(address, clock, play.diary)
    attackers.forge(town.tills()[0].number, cards[0], city.folder.root / "forger")
    with city.ledger.database.transaction() as connection:
        first = next(store.all_batches(connection))
        body = read_documents(connection, first.block)[first.ordinal]
    attackers.replay(body)
    attackers.close()


def _night(city: City, day: Day, partners: PartnerBanks, play: Play, progress: Progress) -> list[Planted]:
    clock = play.clock
    with progress.step("The night: window, positions, payments, statements, matching, three ways", 5) as told:
        clock.move_to(_at(play, CLOSED_AT))
        partners.tell_time()
        city.night.settle(day)
        release_payments(city, day, clock.now())
        told(1)
        clock.move_to(_at(play, LATE_AT))
        play.end_shift(late=True)
        told(2)
        clock.move_to(_at(play, NIGHT_AT))
        partners.tell_time()
        settled = view(city.ledger.database, day)
        items = settled.items if settled else ()
        reach = Day(max((item.due for item in items), default=day))
        _, planted = banks.write_statements(
            items, town.PARTICIPANTS, (day, reach), city.folder.bank_out / "inbox", partners
        )
        told(3)
        city.night.import_statements(day)
        city.night.mirror(day)
        city.night.reconcile(day)
        told(4)
        city.night.compare(day)
        told(5)
    return planted


def release_payments(city: City, day: Day, at: UnixMs) -> None:
    """Four eyes over each payment file: one makes it, another releases it."""
    with city.ledger.database.transaction() as connection:
        files = payment_files_of(connection, day)
    for file in files:
        city.night.payments.make(day, file.bank, by=MAKER, at=at)
        city.night.payments.release(day, file.bank, by=CHECKER, at=at)


def _sides(partners: PartnerBanks, planted: list[Planted]) -> list[laws.AtBank]:
    """What the banks hold by their own books, beside what the ledger should say of it."""
    wrong = Counter[int]()
    for one in planted:
        wrong[one.bank] += one.difference
    return [
        laws.AtBank(
            one.code, Sen(one.ours - OPENING), Sen(wrong[one.code]), Sen(one.total - one.opened), one.savers
        )
        for one in partners.sides()
    ]


def _give_pin(city: City, issued: list[Issued]) -> None:
    """The card whose page is shown gets a PIN; to hash one for each card would take longer than the day."""
    known = city.registry.card(card_shown(city, issued).uid)
    assert known is not None  # noqa: S101  it was just issued
    city.cardholders.pins.set(known, DEMO_PIN)


def _at(play: Play, wall: wall_time) -> UnixMs:
    return moment(datetime.combine(play.day, wall))
