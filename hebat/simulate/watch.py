"""The laws of the design, watched from outside after every step (DESIGN section 3): each by an oracle of its own, cheap enough to ask each time."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Final

from card.batch import RELAYED_FROM, decode_batch, digest
from card.layout import TapKind
from hebat.simulate.network import BATCHES, BUNDLES, FARES
from hebat.simulate.owing import Owing
from hebat.simulate.riding import BEHIND_MS, Given, Riding
from keys import envelope
from keys.clock import Day
from ledger import journal, store
from ledger.chart import AccountId, Code, purse, split
from ledger.intake import store as taken
from ledger.intake.reasons import ExceptionKind, Reason
from ledger.transfer import Flag, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hebat.issuing import Issued
    from hebat.simulate.field import Committed, Truth
    from hebat.simulate.network import Reply, Request
    from hebat.simulate.server import Server
    from ledger.intake.store import BatchRow, ExceptionRow
    from ledger.journal import Block, Rows
    from ledger.qris.classes import MerchantClass

_OK: Final = 200
_ANSWERED_ALIKE: Final = (BATCHES, "/v1/loads", "/v1/loads/step")
_CARD_KINDS: Final = frozenset({Kind.FARE, Kind.SALE, Kind.LOAD, Kind.REFUND})
_DAY_MS: Final = 86_400_000
_CITY_MS: Final = 7 * 3_600_000
_SERVICE_MS: Final = 4 * 3_600_000
_CUT_OFF_MS: Final = 23 * 3_600_000
_SLOW_SECONDS: Final = 180
"""How long after it was dated a commit may reach its chip: a slow disk lies between."""
NO_LAW: Final = 0
"""Of what is wrong and stands in none of the laws: a wrong fare, a blocked card that was taken, a program that failed as nobody foresaw."""
_UNREGISTERED, _REGISTERED = 2_000_000, 20_000_000
"""What a purse may hold, in rupiah."""
_ROUND: Final = 100
"""Sen in a rupiah: what a chip counts is never less."""


class Breach(Exception):
    """A law of the design does not hold; 0 for a program that failed in a way that nobody foresaw."""

    def __init__(self, law: int, detail: str) -> None:
        super().__init__(f"law {law}: {detail}")
        self.law = law
        self.detail = detail


class Watch:
    """What has been seen of the books so far, and what they must agree with."""

    def __init__(
        self, server: Server, truth: Truth, cards: Sequence[Issued], merchants: Mapping[int, MerchantClass]
    ) -> None:
        self._server = server
        self._truth = truth
        self._purses = {card.uid: purse(card.identity.card_number) for card in cards}
        self._ceilings = {
            purse(card.identity.card_number): _ROUND
            * (_REGISTERED if card.identity.registered else _UNREGISTERED)
            for card in cards
        }
        self._position = 0
        self._block = 0
        self._head = journal.GENESIS
        self._sums: defaultdict[AccountId, list[int]] = defaultdict(lambda: [0, 0])
        self._posted: dict[tuple[int, int], int] = {}
        self._closed: dict[Day, bytes] = {}
        self.riding = Riding({card.uid: card.identity.concession for card in cards})
        self.settled: list[Day] = []
        """Business dates whose night has run."""
        self.blocked: dict[int, int] = {}
        """Cards that are blocked, and since when."""
        self.owing = Owing(merchants)
        self._subsidies: dict[tuple[int, int], int] = {}
        self.rogues: dict[int, int | None] = {}
        """Terminals whose word is worth nothing, and since when each is revoked: what their cards paid need not be in the books."""
        self.receipted: dict[tuple[int, int], tuple[bytes, int]] = {}
        self.given_fares: defaultdict[int, Given] = defaultdict(Given)
        """By terminal, by the story's clock."""
        self.in_touch: set[int] = set()
        """Terminals that were ever told what is newest: before that, a terminal counts its hours offline from its own first start."""
        self.journal = hashlib.sha256()
        self.rows = 0

    def look(self) -> None:
        """Whatever came into the books since the last look; raises Breach."""
        if not self._server.is_well:
            return
        ledger = self._server.city.ledger
        head = ledger.head()
        if head.block == self._block:
            return
        if head.block < self._block:
            raise Breach(4, f"the journal ends at block {head.block}, and had {self._block}")
        with ledger.database.transaction() as connection:
            blocks = list(store.read_blocks(connection, self._block))
            rows = list(store.read_rows(connection, self._position + 1))
        for block in blocks:
            self._take(block, rows)
        self._compare()

    def _take(self, block: Block, chunks: list[Rows]) -> None:
        mine = [
            chunk[(chunk["position"] >= block.first_position) & (chunk["position"] <= block.last_position)]
            for chunk in chunks
        ]
        rows = journal.concatenated([one for one in mine if len(one)])
        expected = (self._block + 1, self._position + 1, self._head)
        if (block.block, block.first_position, block.previous) != expected:
            raise Breach(7, f"block {block.block} does not stand behind block {self._block}")
        if len(rows) != block.rows or journal.block_digest(block, rows) != block.digest:
            raise Breach(7, f"block {block.block} holds other rows than its digest covers")
        self._block, self._position, self._head = block.block, block.last_position, block.digest
        self.journal.update(rows.tobytes())
        self.rows += len(rows)
        for row in rows:
            self._row(row)

    def _row(self, row: Rows) -> None:
        flags, amount, kind = int(row["flags"]), int(row["amount"]), Kind(int(row["kind"]))
        debit, credit = AccountId(int(row["debit"])), AccountId(int(row["credit"]))
        if flags & Flag.PENDING and credit in self._ceilings:
            debits, credits_ = self._sums.get(credit, (0, 0))
            if credits_ - debits + amount > self._ceilings[credit]:
                raise Breach(10, f"position {row['position']} promises a purse more than its ceiling")
        if flags & Flag.UNPOSTED:
            return
        if amount <= 0 or debit == credit:
            raise Breach(7, f"position {row['position']} moves {amount} sen from {debit} to {credit}")
        self._sums[debit][0] += amount
        self._sums[credit][1] += amount
        self._times(row)
        self.owing.row(kind, debit, credit, amount, Day(int(row["business_date"])))
        revoked = self.rogues.get(int(row["terminal"]))
        if revoked is not None and int(row["received_at"]) > revoked:
            raise Breach(2, f"position {row['position']} is by terminal {row['terminal']}, which is revoked")
        if kind is Kind.SUBSIDY:
            self._subsidies[int(row["uid"]), int(row["tmc"])] = amount
        if kind in _CARD_KINDS and int(row["tmc"]):
            self._tap(row, debit, credit, amount)

    def committed(self, uid: int, tmc: int, commit: Committed, contact_at: int) -> None:
        """A chip has just committed, at a terminal that last heard of blocked cards at a moment; raises Breach."""
        blocked = self.blocked.get(uid) if commit.terminal in self.in_touch else None
        if commit.delta < 0 and blocked is not None and contact_at > blocked + BEHIND_MS:
            raise Breach(NO_LAW, f"terminal {commit.terminal} took a card that its hotlist names")
        given = self.given_fares[commit.terminal]
        wrong = self.riding.rode(uid, tmc, commit, given) if commit.kind is TapKind.FARE else ""
        if wrong:
            raise Breach(NO_LAW, wrong)

    def _need_subsidies(self) -> None:
        """The city pays what a concession leaves: for each ride in the books, and for no other."""
        wanted = {
            name: rupiah * _ROUND for name, rupiah in self.riding.subsidies.items() if name in self._posted
        }
        if wanted != self._subsidies:
            odd = dict(set(wanted.items()) ^ set(self._subsidies.items()))
            raise Breach(NO_LAW, f"the subsidies of {sorted(odd)} are not what the concessions leave")

    def _times(self, row: Rows) -> None:
        """The four faces of time, by arithmetic of our own."""
        received, business = int(row["received_at"]), int(row["business_date"])
        day, rest = divmod(received + _CITY_MS, _DAY_MS)
        wanted = day + (rest >= _CUT_OFF_MS)
        last = max(self._closed, default=-1)
        if business != max(wanted, last + 1):
            raise Breach(
                9, f"position {row['position']}, received on day {wanted}, is of business date {business}"
            )
        if int(row["tmc"]) and int(row["service_day"]) != (int(row["occurred_at"]) + _SERVICE_MS) // _DAY_MS:
            raise Breach(9, f"position {row['position']} is of another service day than its tap")

    def _tap(self, row: Rows, debit: int, credit: int, amount: int) -> None:
        """A posted card transaction is one that a chip committed, for that amount, once."""
        uid, tmc = int(row["uid"]), int(row["tmc"])
        if (uid, tmc) in self._posted:
            raise Breach(
                3,
                f"card {uid:014x} counter {tmc} is posted at {self._posted[uid, tmc]} and {row['position']}",
            )
        self._posted[uid, tmc] = int(row["position"])
        seen = self._truth.commits.get((uid, tmc))
        if seen is None:
            raise Breach(2, f"card {uid:014x} counter {tmc} is posted, and its chip never committed it")
        account = self._purses[uid]
        moved = amount if credit == account else -amount if debit == account else 0
        if moved != seen.delta * _ROUND:
            raise Breach(
                2,
                f"card {uid:014x} counter {tmc} moved {moved} sen in the books, {seen.delta} rupiah on its chip",
            )
        late = seen.at // 1000 - int(row["occurred_at"]) // 1000
        if not 0 <= late <= _SLOW_SECONDS:
            raise Breach(
                9, f"card {uid:014x} counter {tmc} occurred at another time in the books than at its terminal"
            )

    def _compare(self) -> None:
        """The engine's balances are what the journal's rows come to, and both sides come to the same."""
        ledger = self._server.city.ledger
        balances = ledger.balances()
        for account, (debits, credits_) in self._sums.items():
            held = balances.get(account)
            if held is None or (held.debits_posted, held.credits_posted) != (debits, credits_):
                raise Breach(8, f"{ledger.describe(account)} is not what its journal rows come to")
        for account, ceiling in self._ceilings.items():
            held = balances.get(account)
            if held is not None and held.credits_posted + held.credits_pending - held.debits_posted > ceiling:
                raise Breach(10, f"{ledger.describe(account)} holds, or is promised, more than its ceiling")
        trial = ledger.trial_balance()
        if trial.debits != trial.credits:
            raise Breach(7, f"debits {trial.debits} are not credits {trial.credits}")

    def answered(self, terminal: int, request: Request, reply: Reply) -> None:
        """A terminal has an answer. To a batch, that it is taken: it is in the books, on the plate, with every record posted or kept."""
        if request.path == BUNDLES and reply.status == _OK:
            self.in_touch.add(terminal)
        if request.path == FARES:
            given, now = self.given_fares[terminal], self._server.now()
            given.some_at = now
            given.all_at = given.all_at if reply.status == _OK else now
        if request.path != BATCHES or reply.status != _OK:
            return
        batch = decode_batch(envelope.parse(request.body).payload)
        self.receipted[terminal, batch.first_sequence] = (digest(request.body), len(batch.records))
        self._need_taken([(terminal, batch.first_sequence)])
        volume = self._server.volume
        if any(one.pending for path, one in volume.files.items() if path.endswith("-wal")):
            raise Breach(4, f"terminal {terminal} has a receipt for what is not synced")

    def restarted(self) -> None:
        """After a start, everything that was ever receipted is there."""
        self._need_taken(list(self.receipted))

    def _need_taken(self, names: Sequence[tuple[int, int]]) -> None:
        with self._server.city.ledger.database.transaction() as connection:
            for terminal, first in names:
                row = taken.batch_at(connection, terminal, first)
                wanted, records = self.receipted[terminal, first]
                if row is None or row.digest != wanted:
                    raise Breach(
                        4,
                        f"terminal {terminal} has a receipt for the batch from {first}, which is not in the books",
                    )
                if len(row.results) != records:
                    raise Breach(
                        6, f"the batch from {first} of terminal {terminal} has no result for each record"
                    )

    def next_sequence(self, terminal: int) -> int:
        """The number with which the books want a terminal to go on."""
        with self._server.city.ledger.database.transaction() as connection:
            batches = list(taken.all_batches(connection))
        mine = [one.last_sequence for one in batches if one.terminal == terminal]
        return 1 + max((one for one in mine if one < RELAYED_FROM), default=0)

    def twice(self, request: Request, first: Reply, again: Reply) -> None:
        """The same bytes get the same answer."""
        if (
            request.path in _ANSWERED_ALIKE
            and first.status == _OK
            and (first.status, first.body) != (again.status, again.body)
        ):
            raise Breach(
                3,
                f"the same bytes to {request.path} were answered {first.status} and then {again.status}, not alike",
            )

    def day_over(self) -> None:
        """The expensive ones: closed windows as they were, engine against journal, quarantine whole; raises Breach."""
        ledger = self._server.city.ledger
        for window in ledger.windows():
            rows = ledger.rows(window.business_date)
            found = hashlib.sha256(rows.tobytes()).digest()
            if self._closed.setdefault(window.business_date, found) != found:
                raise Breach(9, f"the closed business date {window.business_date} has changed")
        ledger.rebuild_check()
        self._need_subsidies()
        if self.settled and (wrong := self.owing.wrong(self.settled[-1])):
            raise Breach(7, wrong)
        with ledger.database.transaction() as connection:
            results = [one for batch in taken.all_batches(connection) for one in batch.results]
            kept = taken.read_quarantine(connection)
            self._need_shown(list(taken.all_batches(connection)), taken.read_exceptions(connection))
        if sum(one["result"] == "quarantined" for one in results) != len(kept):
            raise Breach(6, f"{len(kept)} records are kept, and more or fewer were said to be")

    @staticmethod
    def _need_shown(batches: Sequence[BatchRow], exceptions: Sequence[ExceptionRow]) -> None:
        """Numbers that a terminal left out are shown to somebody."""
        shown = {(one.terminal, one.sequence) for one in exceptions if one.kind is ExceptionKind.CHAIN_BROKEN}
        last: defaultdict[int, int] = defaultdict(int)
        for one in sorted(batches, key=lambda batch: batch.first_sequence):
            if one.first_sequence >= RELAYED_FROM:
                continue
            if (
                one.first_sequence != last[one.terminal] + 1
                and (one.terminal, one.first_sequence) not in shown
            ):
                raise Breach(
                    6,
                    f"terminal {one.terminal} left out numbers before {one.first_sequence}, and nobody is told",
                )
            last[one.terminal] = one.last_sequence

    def _seen_by_rogues_only(self) -> Counter[tuple[int, int]]:
        """By UID and counter, intents that lie open in quarantine, as they must, and the sen that are held for each: whoever could prove that it happened (the card's next commit), or that it did not (another at its own counter), is a rogue and has not said so."""
        with self._server.city.ledger.database.transaction() as connection:
            kept = taken.read_quarantine(connection, only_open=True)
        found = Counter[tuple[int, int]]()
        for one in kept:
            unsaid = self._is_unsaid(one.uid, one.tmc) or self._is_unsaid(one.uid, one.tmc + 1)
            if one.reason is Reason.UNCONFIRMED and (one.uid, one.tmc) not in self._posted and unsaid:
                found[one.uid, one.tmc] += max(0, one.amount)  # a load: what a card paid is held nowhere
        return found

    def _is_unsaid(self, uid: int, tmc: int) -> bool:
        """Whether a chip made a commit at a rogue, and it is not in the books."""
        seen = self._truth.commits.get((uid, tmc))
        return seen is not None and seen.terminal in self.rogues and (uid, tmc) not in self._posted

    def count(self, cards: Sequence[Issued]) -> None:
        """At the end, with everything healed: every commit of every chip is in the books, or waits there for a witness that only a rogue was, and every purse holds what its chip does."""
        ledger = self._server.city.ledger
        missing: defaultdict[int, int] = defaultdict(int)
        unseen = self._seen_by_rogues_only()
        for (uid, tmc), seen in self._truth.commits.items():
            if (uid, tmc) in self._posted or not seen.delta:
                continue
            missing[uid] += seen.delta * _ROUND
            if seen.terminal not in self.rogues and (uid, tmc) not in unseen:
                raise Breach(
                    6,
                    f"card {uid:014x} counter {tmc} ({seen.delta} rupiah at terminal {seen.terminal}) is nowhere in the books",
                )
        for card in cards:
            account = self._purses[card.uid]
            held = ledger.balance(account).net(account)
            chip = card.chip_balance * _ROUND - missing[card.uid]
            if held != chip:
                raise Breach(2, f"card {card.uid:014x} holds {chip} sen, its purse {held}")
        open_holds = sum(
            one.debits_pending + one.credits_pending
            for account, one in ledger.balances().items()
            if split(account).code is Code.PURSE
        )
        if open_holds != (waiting := sum(unseen.values())):
            raise Breach(8, f"{open_holds} sen are held, and {waiting} sen of loads are under way")
