"""The figures of a demo day, gathered: every money figure comes from the ledger's journal, its accounts, or its settlement."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hebat.demo.report import CARDHOLDER, BreakLine, KindLine, PocketLine, PositionLine, Report
from hebat.night_commands.telling import as_told
from hebat.wording import some
from keys.money import Sen, display, sen_of
from ledger.cardholder.savings import Progress
from ledger.chart import Code, split
from ledger.intake import store
from ledger.intake.quarantine import store as quarantine
from ledger.transfer import Flag, Kind
from ledger.wallets.loads.store import Fate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hebat.demo.day import DemoDay
    from hebat.issuing import Issued
    from hebat.wiring import City

_KINDS = (Kind.LOAD, Kind.FARE, Kind.SUBSIDY, Kind.SALE)


def make_report(done: DemoDay) -> Report:
    """Gather the figures."""
    breaks, missed = _breaks(done)
    trial = done.city.ledger.trial_balance()
    head = done.city.ledger.head()
    night = done.night
    return Report(
        day=done.day.isoformat(),
        seed=done.seed,
        seconds=round(done.seconds, 1),
        cards=len(done.cards),
        screens=_screens(done),
        free_transfers=_free_transfers(done),
        kinds=_kinds(done),
        records=done.diary.records,
        quarantine=_quarantine(done),
        exceptions=_exceptions(done),
        attacks=tuple(done.diary.attacks),
        positions=_positions(done),
        payment_files=len(night.payment_files),
        payments=sum(item.rail is not None for item in night.items),
        paid=Sen(-sum(item.amount for item in night.items if item.rail is not None)),
        statements=len(night.statements),
        matched=len(night.matches),
        breaks=breaks,
        unplanted=sum(not line.planted for line in breaks),
        missed=missed,
        pockets=_pockets(done),
        trial=tuple((_label(line.code), line.accounts, line.debits, line.credits) for line in trial.lines),
        debits=trial.debits,
        credits=trial.credits,
        head=(head.block, head.position, head.digest.hex()),
        database="SQLite" if done.city.ledger.database.is_sqlite else "PostgreSQL",
        laws=tuple((finding.law, finding.name, finding.held, finding.figure) for finding in done.findings),
        night=as_told(done.city, done.night.settlement.business_date),
        pages=_pages(done),
    )


def _pockets(done: DemoDay) -> tuple[PocketLine, ...]:
    """TapCash on the chips, wallets in the books, savings as the banks' own books have them."""
    city = done.city
    held = {one: balance for one, balance in city.ledger.balances().items() if split(one).code is Code.WALLET}
    assert city.banking is not None  # noqa: S101  the demo added its lines
    orders = [one for _, card in done.pockets.savers for one in city.banking.savings.orders(card)]
    by = Counter(one.progress for one in orders)
    into = Sen(sum(one.amount for one in orders if one.progress is Progress.DONE and one.amount > 0))
    back = Sen(-sum(one.amount for one in orders if one.progress is Progress.DONE and one.amount < 0))
    chips = Sen(sum(sen_of(card.chip_balance) for card in done.cards))
    wallets = Sen(sum(balance.net(one) for one, balance in held.items()))
    savings = Sen(sum(one.savers for one in done.sides))
    unsure = by[Progress.OPEN]
    whose = "its bank" if unsure == 1 else "their banks"
    asked = f"{_were(done.pockets.unknown)} asked after, {_wait(unsure)} for {whose}"
    return (
        PocketLine("TapCash", len(done.cards), chips, "on the chips"),
        PocketLine("Wallet", len(held), wallets, _of_wallets(into, back, done.pockets.loads())),
        PocketLine("Saving", len(done.pockets.savers), savings, f"at {some(len(done.sides), 'bank')}; {some(by[Progress.DONE], 'order')} done; {asked}"),
    )  # fmt: skip


def _were(unknown: int) -> str:
    return f"{unknown} without an answer {'was' if unknown == 1 else 'were'}"


def _wait(waiting: int) -> str:
    return f"{waiting} waits" if waiting == 1 else f"{waiting} wait"


def _of_wallets(into: Sen, back: Sen, loads: Counter[tuple[Fate, bool]]) -> str:
    moved = f"{display(into)} came from savings, {display(back)} went back"
    itself = loads[Fate.WRITTEN, True]
    written, waiting = (loads[fate, False] + loads[fate, True] for fate in (Fate.WRITTEN, Fate.WAITING))
    return f"{moved}; {some(written, 'load')} onto the chip, {itself} of them automatic, {_wait(waiting)} for the next tap"


def _label(code: Code) -> str:
    return code.name.lower().replace("_", " ")


def _screens(done: DemoDay) -> dict[str, dict[str, int]]:
    screens: dict[str, dict[str, int]] = {}
    for (action, shown), count in sorted(done.diary.outcomes.items()):
        screens.setdefault(str(action), {})[shown] = count
    return screens


def _free_transfers(done: DemoDay) -> int:
    with done.city.ledger.database.transaction() as connection:
        return sum("transfer" in tap.rules.split() for tap in store.all_taps(connection))


def _kinds(done: DemoDay) -> tuple[KindLine, ...]:
    rows = done.city.ledger.rows()
    real = rows[rows["flags"] & Flag.UNPOSTED == 0]
    lines = []
    for kind in _KINDS:
        mine = real[real["kind"] == kind]
        late = int((mine["service_day"] < mine["business_date"]).sum())
        lines.append(KindLine(kind.name.lower(), len(mine), Sen(int(mine["amount"].sum())), late))
    return tuple(lines)


def _quarantine(done: DemoDay) -> tuple[tuple[str, str, int], ...]:
    with done.city.ledger.database.transaction() as connection:
        rows = quarantine.read_quarantine(connection)
    counted = Counter((row.reason.value, row.resolution or "open") for row in rows)
    return tuple((reason, resolution, count) for (reason, resolution), count in sorted(counted.items()))


def _exceptions(done: DemoDay) -> dict[str, int]:
    with done.city.ledger.database.transaction() as connection:
        return dict(sorted(Counter(row.kind.value for row in quarantine.read_exceptions(connection)).items()))


def _positions(done: DemoDay) -> tuple[PositionLine, ...]:
    participants = done.city.configuration.participants
    return tuple(
        PositionLine(
            participants.bank(position.bank).name,
            f"{participants.party(position.code, position.number).name} ({position.purpose.name.lower()})",
            position.gross,
            position.fee,
            position.net,
        )
        for position in done.night.positions
    )


def _breaks(done: DemoDay) -> tuple[tuple[BreakLine, ...], int]:
    """The breaks that are open, and how many planted mistakes became none."""
    banks = done.city.configuration.participants
    left = [(planted.reason, planted.bank, planted.difference) for planted in done.planted]
    lines = []
    for found in done.night.open_breaks:
        key = (found.reason, found.bank, found.difference)
        planted = key in left
        if planted:
            left.remove(key)
        name = banks.bank(found.bank).name
        lines.append(BreakLine(found.reason.value, name, found.difference, found.evidence, planted))
    return tuple(lines), len(left)


def card_shown(city: City, cards: Sequence[Issued]) -> Issued:
    """The card with the most taps: the one whose page is shown."""
    with city.ledger.database.transaction() as connection:
        taps = Counter(tap.uid for tap in store.all_taps(connection))
    return max(cards, key=lambda card: (taps[card.uid], card.identity.card_number))


def _pages(done: DemoDay) -> tuple[tuple[str, str], ...]:
    card = card_shown(done.city, done.cards)
    return (
        ("the night, for bank staff", f"/night/{done.day.isoformat()}"),
        (CARDHOLDER, f"/c/{card.token}"),
        ("the API's description, for machines", "/openapi.json"),
    )
