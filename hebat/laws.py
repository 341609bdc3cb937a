"""The laws of the design, looked at over a run: each with the figure that shows it (docs/architecture.md, Where the laws live).

The tests hold the laws over all inputs; this looks at what one day left behind, and a broken one fails the run.
"""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from card.batch import BATCH_BYTES_MAX, RELAYED_FROM
from hebat.wording import some
from keys.clock import service_day
from keys.money import Sen, display, sen_of
from ledger.chain.store import read_documents
from ledger.chart import Code, purse, split
from ledger.errors import BatchTooLarge, LedgerError
from ledger.intake import store
from ledger.intake.audit import Audited, audit
from ledger.intake.quarantine import store as quarantine
from ledger.intake.reasons import ExceptionKind, Reason
from ledger.verify import Verified, verify

REPLAYED_MAX = 20

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from hebat.issuing import Issued
    from hebat.wiring import City
    from ledger.intake.store import TapRow


@dataclass(frozen=True, slots=True)
class Finding:
    """One law: whether it held, and the figure that says so."""

    law: int
    name: str
    held: bool
    figure: str


@dataclass(frozen=True, slots=True)
class AtBank:
    """A bank's own books after a run, in sen: how our account moved, what of that is a mistake made on purpose, how all its accounts moved, what savers have."""

    code: int
    moved: Sen
    mistaken: Sen
    drift: Sen
    savers: Sen


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a run brings to the check: its city, its cards, how many records its terminals were given receipts for, what banks hold by their own books."""

    city: City
    cards: Sequence[Issued]
    receipted: int
    banks: Sequence[AtBank] = ()


def look(evidence: Evidence) -> list[Finding]:
    """All eleven laws, in order."""
    checks: list[tuple[str, Callable[[Evidence], tuple[bool, str]]]] = [
        ("money is whole sen", _whole_sen),
        ("the card's evidence decides", _evidence_decides),
        ("the same bytes move money once", _idempotent),
        ("an answer means durable", _durable),
        ("an offline debit is never refused", _offline_debits),
        ("nothing is dropped", _nothing_dropped),
        ("two sides, one sum", _two_sides),
        ("state is a function of the journal", _function_of_journal),
        ("closed windows never change", _windows),
        ("limits on everything", _limits),
        ("keys never leave a vault", _no_leaks),
    ]
    return [_finding(number, name, check, evidence) for number, (name, check) in enumerate(checks, 1)]


def _finding(
    number: int, name: str, check: Callable[[Evidence], tuple[bool, str]], evidence: Evidence
) -> Finding:
    try:
        held, figure = check(evidence)
    except LedgerError as error:
        return Finding(number, name, held=False, figure=str(error))
    return Finding(number, name, held, figure)


def _taps(city: City) -> list[TapRow]:
    with city.ledger.database.transaction() as connection:
        return list(store.all_taps(connection))


def _whole_sen(evidence: Evidence) -> tuple[bool, str]:
    rows = evidence.city.ledger.rows()
    odd = sum(tap.amount % 100 != 0 for tap in _taps(evidence.city))
    return rows[
        "amount"
    ].dtype == np.int64 and not odd, f"{len(rows)} transfers in integers, no tap with broken rupiah"


def _audited(city: City) -> Audited:
    return audit(city.ledger.database, city.registry, city.intake.assessor)


def _evidence_decides(evidence: Evidence) -> tuple[bool, str]:
    found = _audited(evidence.city)
    return (
        found.taps == found.macs,
        f"{found.macs} Transaction MACs recomputed for {found.taps} taps in the books",
    )


def _idempotent(evidence: Evidence) -> tuple[bool, str]:
    city = evidence.city
    taps = _taps(city)
    once = len({(tap.uid, tap.tmc) for tap in taps}) == len(taps)
    with city.ledger.database.transaction() as connection:
        batches = list(store.all_batches(connection))
        bodies = [read_documents(connection, batch.block)[batch.ordinal] for batch in batches[:REPLAYED_MAX]]
    city.following.look()  # a block that another process wrote would move the head meanwhile
    head = city.ledger.head()
    same = all(
        city.intake.receive(body).results == batch.results
        for body, batch in zip(bodies, batches, strict=False)
    )
    unmoved = city.ledger.head() == head
    return (
        once and same and unmoved,
        f"{len(taps)} card transactions, each once; {some(len(bodies), 'batch', 'batches')} sent again moved nothing",
    )


def _durable(evidence: Evidence) -> tuple[bool, str]:
    with evidence.city.ledger.database.transaction() as connection:
        batches = list(store.all_batches(connection))
    sent = [batch for batch in batches if batch.first_sequence < RELAYED_FROM]
    stored = sum(len(batch.results) for batch in sent)
    return stored == evidence.receipted, (
        f"{evidence.receipted} records with a receipt, {stored} on disk; {len(batches) - len(sent)} loads by the ledger itself"
    )


def _offline_debits(evidence: Evidence) -> tuple[bool, str]:
    with evidence.city.ledger.database.transaction() as connection:
        refused = [row for row in quarantine.read_quarantine(connection) if row.reason is Reason.NOT_APPLIED]
        below = [
            row for row in quarantine.read_exceptions(connection) if row.kind is ExceptionKind.NEGATIVE_SHADOW
        ]
    return not refused, f"{len(refused)} refused by a balance, {len(below)} posted below zero and shown"


def _nothing_dropped(evidence: Evidence) -> tuple[bool, str]:
    with evidence.city.ledger.database.transaction() as connection:
        results = [result for batch in store.all_batches(connection) for result in batch.results]
        kept = quarantine.read_quarantine(connection)
        refused = quarantine.read_refused(connection)
    quarantined = sum(result["result"] == "quarantined" for result in results)
    whole = all(hashlib.sha256(row.body).digest() == row.digest for row in refused)
    return quarantined == len(kept) and whole, (
        f"{len(results)} records: all posted, duplicate or among {len(kept)} kept; {some(len(refused), 'refused batch', 'refused batches')} kept"
    )


def _two_sides(evidence: Evidence) -> tuple[bool, str]:
    found = evidence.city.ledger.trial_balance()
    figure = f"debits {found.debits} = credits {found.credits} sen"
    if not evidence.banks:
        return found.debits == found.credits, figure
    off = [
        one.code
        for one in evidence.banks
        if one.drift or one.moved - one.mistaken != _at_bank(evidence.city, one.code)
    ]
    chips = sum(sen_of(card.chip_balance) for card in evidence.cards)
    wallets = sum(
        held.net(one)
        for one, held in evidence.city.ledger.balances().items()
        if split(one).code is Code.WALLET
    )
    told = f"chips {display(Sen(chips))}, wallets {display(Sen(wallets))}, savings {display(Sen(sum(one.savers for one in evidence.banks)))}"
    where = (
        f"{len(evidence.banks)} banks' own books hold what ours say"
        if not off
        else f"banks {off} hold something else"
    )
    return found.debits == found.credits and not off, f"{figure}; {told}; {where}"


def _at_bank(city: City, code: int) -> int:
    """What our books say that our account at a bank has grown by, apart from lines that nobody knows yet (suspense)."""
    grown = 0
    for one, held in city.ledger.balances().items():
        named = split(one)
        if named.number == code and named.code in {Code.BANK_SETTLEMENT, Code.SUSPENSE}:
            grown += held.debits_posted - held.credits_posted
    return grown


def _verified(city: City) -> Verified:
    city.ledger.snapshot()
    return verify(city.ledger.database)


def _function_of_journal(evidence: Evidence) -> tuple[bool, str]:
    found = _verified(evidence.city)
    differing = purses_differ(evidence.city, evidence.cards)
    equal = len(evidence.cards) - len(differing)
    return not differing, (
        f"{found.transfers} transfers replayed into {found.accounts} accounts; {equal} of {len(evidence.cards)} purses equal their chips"
    )


def _windows(evidence: Evidence) -> tuple[bool, str]:
    windows = evidence.city.ledger.windows()
    rows = evidence.city.ledger.rows()
    changed = sum(
        int(np.any(rows["position"][rows["business_date"] == window.business_date] > window.last_position))
        for window in windows
    )
    late = [tap for tap in _taps(evidence.city) if tap.service_day < tap.business_date]
    belong = all(tap.service_day == service_day(tap.occurred_at) for tap in late)
    return (
        not changed and belong,
        f"{len(windows)} closed, none changed since; {len(late)} late taps in the next one",
    )


def _limits(evidence: Evidence) -> tuple[bool, str]:
    try:
        evidence.city.intake.receive(bytes(BATCH_BYTES_MAX + 1))
    except BatchTooLarge:
        return True, f"a batch of {BATCH_BYTES_MAX + 1} bytes is refused before it is read"
    return False, "an oversized batch was taken in"


def _no_leaks(evidence: Evidence) -> tuple[bool, str]:
    vault, root = evidence.city.vault, evidence.city.folder.root
    ledger = evidence.city.folder.ledger
    files = [path for path in root.rglob("*") if path.is_file() and not path.name.endswith("-shm")]
    leaking = [path.name for path in files if vault.shows_in(_content(path, ledger))]
    return not leaking, f"no key of the vault stands in any of {len(files)} files" if not leaking else str(
        leaking
    )


def _content(path: Path, ledger: Path) -> bytes:
    """A file's bytes; the open ledger's by way of SQLite, since closing its file here would give its locks up (`Database.check_file`)."""
    if path != ledger:
        return path.read_bytes()
    with closing(sqlite3.connect(f"file:{path.absolute()}?mode=ro", uri=True)) as database:
        return database.serialize()


def purses_differ(city: City, cards: Sequence[Issued]) -> list[int]:
    """Card numbers whose chip holds another value than the ledger says; the chip's own file is what counts."""
    differing = []
    for card in cards:
        account = purse(card.identity.card_number)
        on_chip = sen_of(card.chip_balance)
        if city.ledger.balance(account).net(account) != on_chip:
            differing.append(card.identity.card_number)
    return differing
