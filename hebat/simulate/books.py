"""The journal as it must be, row by row as it grows: what chips committed and nothing else, once, at its time, within every ceiling (laws 2, 3, 7 to 10)."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from typing import TYPE_CHECKING, Final

from hebat.simulate.breach import ROUND, Breach
from hebat.simulate.owing import Owing
from keys.clock import Day
from ledger import journal
from ledger.chart import AccountId, purse
from ledger.transfer import Flag, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hebat.issuing import Issued
    from hebat.simulate.field import Committed, Truth
    from ledger.balance import Balance
    from ledger.book import Ledger
    from ledger.journal import Block, Rows
    from ledger.qris.classes import MerchantClass

_CARD_KINDS: Final = frozenset({Kind.FARE, Kind.SALE, Kind.LOAD, Kind.REFUND})
_DAY_MS: Final = 86_400_000
_CITY_MS: Final = 7 * 3_600_000
_SERVICE_MS: Final = 4 * 3_600_000
_CUT_OFF_MS: Final = 23 * 3_600_000
_SLOW_SECONDS: Final = 180
"""How long after it was dated a commit may reach its chip: a slow disk lies between."""
_UNREGISTERED, _REGISTERED = 2_000_000, 20_000_000
"""What a purse may hold, in rupiah."""


def _ceiling_in(row: Rows) -> int:
    """The ceiling that a change of rules sets, in sen; bits 8 to 33 in 1,000 rupiah (decision 0018)."""
    return (int(row["hold"]) >> 8 & (1 << 26) - 1) * 1000 * ROUND


class Books:
    """The rows so far, and what they come to by sums of our own."""

    def __init__(self, truth: Truth, cards: Sequence[Issued], merchants: Mapping[int, MerchantClass]) -> None:
        self._truth = truth
        self.purses = {card.uid: purse(card.identity.card_number) for card in cards}
        self._ceilings = {
            purse(card.identity.card_number): ROUND
            * (_REGISTERED if card.identity.registered else _UNREGISTERED)
            for card in cards
        }
        self.position = 0
        self.block = 0
        self._head = journal.GENESIS
        self._sums: defaultdict[AccountId, list[int]] = defaultdict(lambda: [0, 0])
        self.posted: dict[tuple[int, int], int] = {}
        """By UID and counter, where a card's commit stands."""
        self.closed: dict[Day, bytes] = {}
        """The digest of each closed business date's rows."""
        self.owing = Owing(merchants)
        self.subsidies: dict[tuple[int, int], int] = {}
        self.rogues: dict[int, int | None] = {}
        """Terminals whose word is worth nothing, and since when each is revoked: what their cards paid need not be in the books."""
        self._raised: set[int] = set()
        """Purses that were once promised a load while another was torn: the journal says so by a ceiling that has room for both."""
        self.journal = hashlib.sha256()
        self.rows = 0

    def take(self, block: Block, chunks: list[Rows]) -> None:
        """The next block of the chain, its rows among those that were read; raises Breach."""
        mine = [
            chunk[(chunk["position"] >= block.first_position) & (chunk["position"] <= block.last_position)]
            for chunk in chunks
        ]
        rows = journal.concatenated([one for one in mine if len(one)])
        expected = (self.block + 1, self.position + 1, self._head)
        if (block.block, block.first_position, block.previous) != expected:
            raise Breach(7, f"block {block.block} does not stand behind block {self.block}")
        if len(rows) != block.rows or journal.block_digest(block, rows) != block.digest:
            raise Breach(7, f"block {block.block} holds other rows than its digest covers")
        self.block, self.position, self._head = block.block, block.last_position, block.digest
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
        if kind is Kind.RULES and debit in self._ceilings and _ceiling_in(row) > self._ceilings[debit]:
            self._raised.add(debit)
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
            self.subsidies[int(row["uid"]), int(row["tmc"])] = amount
        if kind in _CARD_KINDS and int(row["tmc"]):
            self._tap(row, debit, credit, amount)

    def _times(self, row: Rows) -> None:
        """The four faces of time, by arithmetic of our own."""
        received, business = int(row["received_at"]), int(row["business_date"])
        day, rest = divmod(received + _CITY_MS, _DAY_MS)
        wanted = day + (rest >= _CUT_OFF_MS)
        last = max(self.closed, default=-1)
        if business != max(wanted, last + 1):
            raise Breach(
                9, f"position {row['position']}, received on day {wanted}, is of business date {business}"
            )
        if int(row["tmc"]) and int(row["service_day"]) != (int(row["occurred_at"]) + _SERVICE_MS) // _DAY_MS:
            raise Breach(9, f"position {row['position']} is of another service day than its tap")

    def _tap(self, row: Rows, debit: int, credit: int, amount: int) -> None:
        """A posted card transaction is one that a chip committed, for that amount, once."""
        uid, tmc = int(row["uid"]), int(row["tmc"])
        if (uid, tmc) in self.posted:
            raise Breach(
                3,
                f"card {uid:014x} counter {tmc} is posted at {self.posted[uid, tmc]} and {row['position']}",
            )
        self.posted[uid, tmc] = int(row["position"])
        seen = self._truth.commits.get((uid, tmc))
        if seen is None:
            raise Breach(2, f"card {uid:014x} counter {tmc} is posted, and its chip never committed it")
        account = self.purses[uid]
        moved = amount if credit == account else -amount if debit == account else 0
        if moved != seen.delta * ROUND:
            raise Breach(
                2,
                f"card {uid:014x} counter {tmc} moved {moved} sen in the books, {seen.delta} rupiah on its chip",
            )
        late = seen.at // 1000 - int(row["occurred_at"]) // 1000
        if not 0 <= late <= _SLOW_SECONDS:
            raise Breach(
                9, f"card {uid:014x} counter {tmc} occurred at another time in the books than at its terminal"
            )

    def compare(self, ledger: Ledger, torn: Callable[[int], int]) -> None:
        """The engine's balances are what the journal's rows come to, and both sides come to the same.

        `torn` tells what is held (sen) for a card's loads that were torn: such a card says what became of one before it takes another, so that
        each of them by itself must fit below the ceiling (as each row's look sees to), and not all of them together.
        """
        balances = ledger.balances()
        for account, (debits, credits_) in self._sums.items():
            held = balances.get(account)
            if held is None or (held.debits_posted, held.credits_posted) != (debits, credits_):
                raise Breach(8, f"{ledger.describe(account)} is not what its journal rows come to")
        for uid, account in self.purses.items():
            held = balances.get(account)
            if held is not None:
                self._need_room(ledger, uid, held, torn(uid))
        trial = ledger.trial_balance()
        if trial.debits != trial.credits:
            raise Breach(7, f"debits {trial.debits} are not credits {trial.credits}")

    def _need_room(self, ledger: Ledger, uid: int, held: Balance, torn: int) -> None:
        """A purse is within its ceiling with all that it is promised.

        Where a load was torn, the books promised another without knowing whether the card has the first: then the card, which does, refused what was too
        much by what it really holds, and it may have paid since what no terminal has sent yet. Such a purse may stand higher in the books by just that.
        """
        account = self.purses[uid]
        ceiling, holds = self._ceilings[account], held.credits_posted - held.debits_posted
        excess = holds + max(0, held.credits_pending - torn) - ceiling
        if account in self._raised and excess > 0:
            excess = holds - self._not_sent(uid) - ceiling
        if excess > 0:
            raise Breach(10, f"{ledger.describe(account)} holds, or is promised, more than its ceiling")

    def _not_sent(self, uid: int) -> int:
        """What a card has paid, and is not in the books, in sen."""
        return sum(
            -seen.delta * ROUND
            for name, seen in self._truth.commits.items()
            if name[0] == uid and seen.delta < 0 and name not in self.posted
        )

    def need_below_ceiling(self, uid: int, commit: Committed) -> None:
        """A chip holds no more than its card may, whatever the books know of it; raises Breach."""
        if commit.value * ROUND > self._ceilings[self.purses[uid]]:
            raise Breach(10, f"card {uid:014x} holds {commit.value} rupiah, more than it may")
