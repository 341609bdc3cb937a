"""Government payments in bulk: a CSV file in, a result a line out. A part of the file is one commit with its results: begun again after a crash it pays nobody twice."""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from keys.clock import service_day
from keys.errors import MoneyError
from keys.money import Sen, parse, plain
from ledger.chart import AccountId, Code, account_id, split
from ledger.errors import OrderInvalid, WalletRefused
from ledger.orders.order import AMOUNT_MAX, wallet_of
from ledger.transfer import Kind, Result, Transfer
from ledger.wallets import store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ledger.book import Ledger
    from ledger.transaction import PostedRows, Transaction

COLUMNS: Final = ("card", "rupiah", "text")
LINES_MAX: Final = 200_000
FILE_BYTES_MAX: Final = 32 * 1024 * 1024
LINES_AT_ONCE: Final = 2_000
MALFORMED: Final = 255
"""The result of a line that names no card or no amount; all others are a `Result`."""


class BulkLine(NamedTuple):
    """A line that was read: the wallet and sen, or 0 and why not."""

    wallet: AccountId
    amount: Sen
    wrong: str


@dataclass(frozen=True, slots=True)
class BulkFile:
    """A file of payments: its digest is its name, for good."""

    digest: bytes
    lines: tuple[BulkLine, ...]

    @classmethod
    def read(cls, content: bytes) -> BulkFile:
        """From CSV with the columns card, rupiah, text. A bad line is a result, not an error.

        Raises WalletRefused where the file is none.
        """
        if len(content) > FILE_BYTES_MAX:
            raise WalletRefused(f"the file has {len(content)} bytes: at most {FILE_BYTES_MAX}")
        try:
            rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
            if tuple(next(rows, ())) != COLUMNS:
                raise WalletRefused(f"line 1: the columns are {','.join(COLUMNS)}")
            lines = tuple(_line(row) for row in rows)
        except (UnicodeDecodeError, csv.Error) as error:
            raise WalletRefused(f"the file is no CSV in UTF-8: {error}") from None
        if len(lines) > LINES_MAX:
            raise WalletRefused(f"the file has {len(lines)} lines: send at most {LINES_MAX} at once")
        return cls(hashlib.sha256(content).digest(), lines)

    def parts(self) -> Iterator[tuple[int, tuple[BulkLine, ...]]]:
        """Its parts by number."""
        for first in range(0, len(self.lines), LINES_AT_ONCE):
            yield first // LINES_AT_ONCE, self.lines[first : first + LINES_AT_ONCE]


def _line(row: list[str]) -> BulkLine:
    nobody = _NOBODY
    if len(row) != len(COLUMNS):
        return BulkLine(nobody, Sen(0), f"{len(row)} columns")
    try:
        wallet, amount = wallet_of(row[0].strip()), parse(row[1].strip())
    except (OrderInvalid, MoneyError) as error:
        return BulkLine(nobody, Sen(0), str(error))
    if not 0 < amount <= AMOUNT_MAX:
        return BulkLine(nobody, Sen(0), f"an amount is from 0.01 to {plain(AMOUNT_MAX)}")
    return BulkLine(wallet, amount, "")


_NOBODY: Final = AccountId(0)


@dataclass(slots=True)
class PayPart:
    """The unit of one part; answers its results, a byte a line."""

    file: bytes
    part: int
    lines: Sequence[BulkLine]
    bank: int
    document: bytes = field(default=b"", init=False)
    _known: bytes | None = field(default=None, init=False)

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """A credit a good line, each by itself; none where the part was posted before."""
        self._known = store.part_results(tx.reading, self.file, self.part)
        if self._known is not None:
            return ()
        now, day = tx.received_at, service_day(tx.received_at)
        return [
            Transfer(self._source(one.wallet), one.wallet, one.amount, Kind.DEPOSIT, now, day)
            for one in self.lines
            if not one.wrong
        ]

    def _source(self, wallet: AccountId) -> AccountId:
        return account_id(Code.BANK_SETTLEMENT, split(wallet).partition, self.bank)

    def settle(self, posted: PostedRows, tx: Transaction) -> bytes:
        """Keep the results with the money."""
        if self._known is not None:
            return self._known
        became = iter(posted.results.tolist())
        results = bytes(MALFORMED if one.wrong else next(became) for one in self.lines)
        store.keep_part(tx.connection, self.file, self.part, results)
        self.document = b'{"wallet_bulk":["%s",%d]}' % (self.file.hex().encode(), self.part)
        return results


@dataclass(frozen=True, slots=True)
class BulkDone:
    """What became of a file: a result a line, as a file, and the sums."""

    results: bytes
    paid: int
    sen: Sen
    lines: tuple[BulkLine, ...]

    def report(self) -> bytes:
        """CSV: line, result, sen, reason."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["line", "result", "sen", "reason"])
        for number, (one, code) in enumerate(zip(self.lines, self.results, strict=True), 2):
            said = "paid" if code == Result.POSTED else "refused"
            reason = one.wrong or (
                "" if code == Result.POSTED else Result(code).name.lower().replace("_", " ")
            )
            writer.writerow([number, said, one.amount if code == Result.POSTED else 0, reason])
        return out.getvalue().encode()


def pay_bulk(
    ledger: Ledger, file: BulkFile, bank: int, progress: Callable[[int], object] = lambda _done: None
) -> BulkDone:
    """Pay every line of a file out of our account at a bank; the same file again gives the same results and pays nobody twice."""
    results = b""
    for part, lines in file.parts():
        results += ledger.writer.submit(PayPart(file.digest, part, lines, bank)).result()
        progress(len(results))
    paid = [one.amount for one, code in zip(file.lines, results, strict=True) if code == Result.POSTED]
    return BulkDone(results, len(paid), Sen(sum(paid)), file.lines)
