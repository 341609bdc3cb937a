"""What the engine must do, in dictionaries and Python's own integers, written apart from the kernel and with no thought for speed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from keys.clock import Day, date_of
from ledger.chart import Code
from ledger.transfer import ROW, Flag, Freshness, Kind, Result

if TYPE_CHECKING:
    from collections.abc import Iterable

SUM_MAX = 2**61
RULES_MAX = 2**60
THOUSAND = 100_000  # sen
PHASES = (0, Flag.PENDING, Flag.POST_PENDING, Flag.VOID_PENDING, Flag.RULES)
_FIELDS = {name: at for at, name in enumerate(ROW.names or ())}


class Outcome(NamedTuple):
    result: Result
    position: int
    freshness: Freshness
    overruled: Result
    balances: tuple[int, ...]


@dataclass
class Account:
    sums: tuple[int, int, int, int] = (0, 0, 0, 0)
    rules: int = 0
    came: dict[int, int] = field(default_factory=dict)
    """What came in, by month."""

    def limit(self, shift: int) -> int:
        """Sen; a limit of 0 is none."""
        return (self.rules >> shift) % 2**26 * THOUSAND or SUM_MAX * 4

    def copy(self) -> Account:
        return Account(self.sums, self.rules, dict(self.came))


@dataclass
class Hold:
    debit: int
    credit: int
    amount: int
    expires_at: int
    month: int
    state: str = "pending"


class Row:
    """A journal row as plain integers."""

    def __init__(self, values: Iterable[int]) -> None:
        values = tuple(values)
        self.debit, self.credit, self.amount = (
            values[_FIELDS[name]] for name in ("debit", "credit", "amount")
        )
        self.kind = values[_FIELDS["kind"]]
        self.flags, self.hold = Flag(values[_FIELDS["flags"]]), values[_FIELDS["hold"]]
        self.received_at = values[_FIELDS["received_at"]]
        day = date_of(Day(values[_FIELDS["business_date"]]))
        self.month = day.year * 12 + day.month
        self.streams = (
            (values[_FIELDS["uid"]], values[_FIELDS["tmc"]]),
            (-values[_FIELDS["terminal"]], values[_FIELDS["sequence"]]),
        )


class Refused(Exception):
    def __init__(self, result: Result) -> None:
        super().__init__(result.name)
        self.result = result


def refuse_if(wrong: bool, result: Result) -> None:
    if wrong:
        raise Refused(result)


@dataclass
class Model:
    accounts: dict[int, Account] = field(default_factory=dict)
    holds: dict[int, Hold] = field(default_factory=dict)
    seen: dict[int, set[int]] = field(default_factory=dict)
    highest: dict[int, int] = field(default_factory=dict)
    position: int = 1

    def apply(self, batch: Iterable[Any]) -> list[Outcome]:
        rows, outcomes, first = [Row(map(int, row)) for row in batch], list[Outcome](), 0
        while first < len(rows):
            last = first
            while last < len(rows) - 1 and rows[last].flags & Flag.LINKED:
                last += 1
            outcomes += self._group(rows[first : last + 1])
            first = last + 1
        return outcomes

    def _group(self, rows: list[Row]) -> list[Outcome]:
        fresh = [max(self.fresh(*stream) for stream in row.streams) for row in rows]
        before = self._saved(rows)
        failed = len(rows) - 1 if rows[-1].flags & Flag.LINKED else -1
        reason, overruled = Result.LINKED_OPEN, [Result.POSTED] * len(rows)
        if failed < 0:
            for at, row in enumerate(rows):
                try:
                    overruled[at] = self._one(row, self.position + at)
                except Refused as refused:
                    failed, reason = at, refused.result
                    break
        if failed >= 0:
            self._put_back(before)
            results = [reason if at == failed else Result.LINKED_FAILED for at in range(len(rows))]
            positions, overruled = [0] * len(rows), [Result.POSTED] * len(rows)
        else:
            results = [Result.POSTED] * len(rows)
            positions = list(range(self.position, self.position + len(rows)))
            self.position += len(rows)
            for row in rows:
                self._mark(row)
        balances = [self.sums(row.debit) + self.sums(row.credit) for row in rows]
        return [Outcome(*one) for one in zip(results, positions, fresh, overruled, balances, strict=True)]

    def _saved(self, rows: list[Row]) -> tuple[dict[int, Account | None], dict[int, str]]:
        named = {number for row in rows for number in (row.debit, row.credit)}
        accounts = {number: self.accounts.get(number) for number in named}
        copies = {number: account.copy() if account else None for number, account in accounts.items()}
        return copies, {row.hold: self.holds[row.hold].state for row in rows if row.hold in self.holds}

    def _put_back(self, before: tuple[dict[int, Account | None], dict[int, str]]) -> None:
        for number, account in before[0].items():
            if account is None:
                self.accounts.pop(number, None)
            else:
                self.accounts[number] = account
        while self.holds and next(reversed(self.holds)) >= self.position:  # the newest stands last
            self.holds.popitem()
        for position, state in before[1].items():
            self.holds[position].state = state

    def fresh(self, stream: int, counter: int) -> Freshness:
        if not stream or stream not in self.highest or counter > self.highest[stream]:
            return Freshness.FRESH
        if self.highest[stream] - counter >= 64:
            return Freshness.TOO_OLD
        return Freshness.SEEN if counter in self.seen[stream] else Freshness.FRESH

    def _mark(self, row: Row) -> None:
        for stream, counter in row.streams:
            if stream:
                self.seen.setdefault(stream, set()).add(counter)
                self.highest[stream] = max(counter, self.highest.get(stream, counter))

    def account(self, number: int) -> Account:
        rules = {Code.WALLET: 1, Code.RULES: 16}
        known = number >> 56 in rules
        return self.accounts.setdefault(number, Account(rules=rules[Code(number >> 56)] if known else 0))

    def sums(self, number: int) -> tuple[int, ...]:
        return self.accounts[number].sums if number in self.accounts else (0, 0, 0, 0)

    def _one(self, row: Row, position: int) -> Result:
        refuse_if(row.debit <= 0 or row.credit <= 0, Result.ACCOUNT_INVALID)
        refuse_if(row.debit == row.credit, Result.SAME_ACCOUNT)
        refuse_if(row.debit >> 50 & 63 != row.credit >> 50 & 63, Result.PARTITIONS_DIFFER)
        phase = row.flags & (Flag.UNPOSTED | Flag.POST_PENDING)
        refuse_if(phase not in PHASES or not 0 <= row.flags < 64, Result.FLAGS_INVALID)
        if phase == Flag.RULES:
            return self._change_rules(row)
        refuse_if(row.amount <= 0, Result.AMOUNT_NOT_POSITIVE)
        if phase in (Flag.POST_PENDING, Flag.VOID_PENDING):
            return self._resolve(row, post=phase == Flag.POST_PENDING)
        hold = phase == Flag.PENDING
        refuse_if(hold and 0 < row.hold <= row.received_at, Result.HOLD_EXPIRED)
        place = 2 if hold else 0
        full = max(self.sums(row.debit)[place], self.sums(row.credit)[place + 1]) + row.amount > SUM_MAX
        refuse_if(full, Result.OVERFLOW)
        broken = self._broken(row, self.account(row.debit), self.account(row.credit))
        already = bool(row.flags & Flag.PROVEN) or (row.debit >> 56 == Code.PURSE and not hold)
        refuse_if(broken is not Result.POSTED and not already, broken)
        self._move(row, place, row.amount)
        credited = self.account(row.credit)
        credited.came = {row.month: credited.came.get(row.month, 0) + row.amount}
        if hold:
            self.holds[position] = Hold(row.debit, row.credit, row.amount, row.hold, row.month)
        return broken

    def _change_rules(self, row: Row) -> Result:
        wrong = row.amount != 0 or row.credit >> 56 != Code.RULES or row.kind != Kind.RULES
        refuse_if(wrong or not 0 <= row.hold < RULES_MAX or row.hold % 256 > 63, Result.RULES_INVALID)
        self.account(row.debit).rules = row.hold
        return Result.POSTED

    @staticmethod
    def _stopped(debit: Account, credit: Account) -> Result:
        if debit.rules & 16 or credit.rules & 16:
            return Result.ACCOUNT_CLOSED
        if debit.rules & 4:
            return Result.DEBITS_FROZEN
        return Result.CREDITS_FROZEN if credit.rules & 8 else Result.POSTED

    def _broken(self, row: Row, debit: Account, credit: Account) -> Result:
        stopped = self._stopped(debit, credit)
        spent, had = debit.sums[0] + debit.sums[2], debit.sums[1]
        owed, come = credit.sums[0], credit.sums[1] + credit.sums[3]
        for wrong, result in (
            (stopped is not Result.POSTED, stopped),
            (debit.rules & 32, Result.BLOCKED),
            (debit.rules & 1 and spent + row.amount > had, Result.EXCEEDS_CREDITS),
            (credit.rules & 2 and come + row.amount > owed, Result.EXCEEDS_DEBITS),
            (come - owed + row.amount > credit.limit(8), Result.EXCEEDS_CEILING),
            (credit.came.get(row.month, 0) + row.amount > credit.limit(34), Result.EXCEEDS_MONTH),
        ):
            if wrong:
                return result
        return Result.POSTED

    def _resolve(self, row: Row, *, post: bool) -> Result:
        hold = self.holds.get(row.hold)
        if hold is None:
            raise Refused(Result.HOLD_UNKNOWN)
        refuse_if(hold.state != "pending", Result.HOLD_NOT_PENDING)
        fits = row.amount <= hold.amount if post else row.amount == hold.amount
        refuse_if((hold.debit, hold.credit) != (row.debit, row.credit) or not fits, Result.HOLD_DIFFERS)
        broken = Result.POSTED
        if post:
            full = max(self.sums(row.debit)[0], self.sums(row.credit)[1]) + row.amount > SUM_MAX
            refuse_if(full, Result.OVERFLOW)
            late = bool(hold.expires_at) and hold.expires_at <= row.received_at
            stopped = self._stopped(self.account(row.debit), self.account(row.credit))
            broken = Result.HOLD_EXPIRED if late else stopped
            refuse_if(broken is not Result.POSTED and not row.flags & Flag.PROVEN, broken)
            self._move(row, 0, row.amount)
        self._move(row, 2, -hold.amount)
        credited = self.account(row.credit)
        if hold.month in credited.came:
            credited.came[hold.month] -= hold.amount - (row.amount if post else 0)
        hold.state = "posted" if post else "voided"
        return broken

    def _move(self, row: Row, place: int, amount: int) -> None:
        for number, at in ((row.debit, place), (row.credit, place + 1)):
            account = self.account(number)
            sums = list(account.sums)
            sums[at] += amount
            account.sums = (sums[0], sums[1], sums[2], sums[3])

    def balances(self) -> dict[int, tuple[int, ...]]:
        return {number: account.sums for number, account in self.accounts.items() if any(account.sums)}

    def rules(self) -> dict[int, int]:
        return {number: account.rules for number, account in self.accounts.items()}

    def pending(self) -> set[int]:
        return {position for position, hold in self.holds.items() if hold.state == "pending"}
