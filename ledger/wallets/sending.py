"""A transfer between wallets as units of the writer: held in the first partition, arrived in the second, ended in the first.

Each step finds out by itself whether it was done, so that all of them may be asked for again after a crash at any point.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from keys.clock import service_day
from ledger.bundles.blocks import need_unblocked
from ledger.chart import PARTITIONS, Code, account_id, split
from ledger.errors import WalletRefused
from ledger.transfer import Flag, Kind, Result, Transfer
from ledger.wallets import store
from ledger.wallets.store import Sent, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keys.clock import UnixMs
    from ledger.chart import AccountId, Partition
    from ledger.transaction import PostedRows, Transaction

_FIRST_PAIR: Final = 1


def clearing(partition: Partition, other: Partition) -> AccountId:
    """One of the pair of accounts between two partitions: both have the same number, and net to zero."""
    low, high = sorted((partition, other))
    return account_id(Code.CLEARING, partition, _FIRST_PAIR + low * PARTITIONS + high)


def _crosses(sent: Sent) -> bool:
    return split(sent.debit).partition != split(sent.credit).partition


def leaving(sent: Sent, at: UnixMs, flags: Flag = Flag.NONE, hold: int = 0) -> Transfer:
    """What the first partition sees: towards the wallet itself, or towards the clearing account."""
    first, second = split(sent.debit).partition, split(sent.credit).partition
    towards = clearing(first, second) if _crosses(sent) else sent.credit
    return Transfer(sent.debit, towards, sent.amount, Kind.TRANSFER, at, service_day(at), flags, hold)


@dataclass(slots=True)
class Leave:
    """The first step: all of it within one partition, else a hold. Answers the transfer, or the Result that refused it."""

    sent: Sent
    document: bytes = field(default=b"", init=False)
    _known: Sent | None = field(default=None, init=False)

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """The transfer or hold; raises WalletRefused where the reference stands for another one."""
        known = self._known = store.find(tx.reading, self.sent.debit, self.sent.reference)
        if known is not None and known.asked != self.sent.asked:
            raise WalletRefused(f"{self.sent.reference} stands for another transfer: take a new reference")
        if known is None:
            need_unblocked(tx.reading, self.sent.debit)
        return () if known else (self.going(tx.received_at),)

    def going(self, at: UnixMs) -> Transfer:
        """The transfer itself, or a hold where the other side has to take it first."""
        return leaving(self.sent, at, Flag.PENDING if _crosses(self.sent) else Flag.NONE)

    def settle(self, posted: PostedRows, tx: Transaction) -> Sent | Result:
        """Keep it, unless the wallet may not give it."""
        if self._known is not None:
            return self._known
        done = posted[-1]
        if done.result is not Result.POSTED:
            return done.result
        one, crosses = self.sent, _crosses(self.sent)
        sent = Sent(
            one.reference, one.debit, one.credit, one.amount, State.HELD if crosses else State.DONE, Result.POSTED,
            done.position if crosses else 0, tx.received_at,
        )  # fmt: skip
        store.insert(tx.connection, sent)
        self.document = _told("left", sent)
        return sent


@dataclass(slots=True)
class Arrive:
    """The second step: the money comes out of clearing into the wallet, or the wallet may not take it. Answers the Result, for good."""

    sent: Sent
    document: bytes = field(default=b"", init=False)
    _known: Result | None = field(default=None, init=False)

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """The credit, where it was not decided yet."""
        self._known = store.arrival(tx.reading, self.sent)
        if self._known is not None:
            return ()
        first, second = split(self.sent.debit).partition, split(self.sent.credit).partition
        at = tx.received_at
        source = clearing(second, first)
        return (Transfer(source, self.sent.credit, self.sent.amount, Kind.TRANSFER, at, service_day(at)),)

    def settle(self, posted: PostedRows, tx: Transaction) -> Result:
        """Keep the decision."""
        if self._known is not None:
            return self._known
        done = next(iter(posted))
        store.keep_arrival(tx.connection, self.sent, done.result, done.position)
        self.document = _told("arrived", self.sent)
        return done.result


@dataclass(slots=True)
class End:
    """The third step: the hold is posted where the money arrived, given back where it did not. Answers the state."""

    sent: Sent
    arrived: Result
    document: bytes = field(default=b"", init=False)
    _known: Sent | None = field(default=None, init=False)

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """What becomes of the hold; raises WalletRefused where there is no such transfer."""
        known = self._known = store.find(tx.reading, self.sent.debit, self.sent.reference)
        if known is None:
            raise WalletRefused(f"no transfer has the reference {self.sent.reference}")
        if known.state is not State.HELD:
            return ()
        # What has arrived has left, though the wallet was frozen meanwhile.
        flag = Flag.POST_PENDING | Flag.PROVEN if self.arrived is Result.POSTED else Flag.VOID_PENDING
        return (leaving(known, tx.received_at, flag, known.hold),)

    def settle(self, posted: PostedRows, tx: Transaction) -> State:
        """Note it."""
        known = self._known
        assert known is not None  # noqa: S101  settled only after its plan
        if known.state is not State.HELD:
            return known.state
        if not posted.all_posted:
            raise WalletRefused(f"{known.reference}: the ledger does not let its hold go; look at it")
        state = State.DONE if self.arrived is Result.POSTED else State.FAILED
        store.end(tx.connection, known, state, self.arrived, tx.received_at)
        self.document = _told(state, known)
        return state


def _told(what: str, sent: Sent) -> bytes:
    return json.dumps({"wallet_transfer": [sent.reference, sent.debit, sent.credit, what]}).encode()
