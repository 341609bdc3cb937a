"""What one commit takes: units, their answers, their rows, and what the chain and the readers are told of them."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ledger.answer import Answer

if TYPE_CHECKING:
    from concurrent.futures import Future

    import numpy as np
    import numpy.typing as npt

    from ledger.committed import Sealed
    from ledger.journal import Block
    from ledger.rows.store import JournalRows
    from ledger.store import Connection, Database
    from ledger.transaction import Transaction, Unit

    Rows = npt.NDArray[np.void]

GROUP_MAX: Final = 1024
"""Units that one commit takes."""
GROUP_ROWS_MAX: Final = 50_000
"""Rows after which a commit takes no further unit."""
GROUP_BYTES_MAX: Final = 32 * 1024 * 1024
"""Bytes of documents after which a commit takes no further unit."""


@dataclass(slots=True)
class Waiting:
    """A unit, and where its answer goes."""

    unit: Unit
    answer: Answer = field(default_factory=Answer)


@dataclass(frozen=True, slots=True)
class Ahead:
    """A group that another thread commits, and when that has ended, well or not."""

    group: Group
    ended: Future[None]


@dataclass(slots=True)
class Group:
    """Units of one commit. Filled by the preparing thread, then written by the committing one."""

    taken: list[Waiting] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    rows: list[Rows] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    row_count: int = 0
    octets: int = 0
    connection: Connection | None = None
    commit: ExitStack = field(default_factory=ExitStack)
    tx: Transaction | None = None
    block: Block | None = None
    """The block that it becomes; None where it has neither rows nor documents."""
    ready: JournalRows | None = None
    sealed: Sealed | None = None
    before: Ahead | None = None
    """What is still being committed ahead of it, where its rows go to the database beside that."""
    sent: bool = False
    """True once it may be committed, whatever this process heard."""
    durable: bool = False
    """True once it is committed, and readers see it."""
    answered: bool = False
    culprit: Waiting | None = None
    """The unit whose fault it is that the group failed, where that is known."""

    @property
    def is_full(self) -> bool:
        """True where it takes no further unit."""
        return (
            len(self.taken) >= GROUP_MAX or self.row_count >= GROUP_ROWS_MAX or self.octets >= GROUP_BYTES_MAX
        )

    @property
    def writes(self) -> bool:
        """True where there is something to commit."""
        gathered = self.tx is not None and self.tx.gathered.waits
        return self.connection is not None or self.block is not None or gathered

    @property
    def is_cut(self) -> bool:
        """True where its connection to the database has died."""
        return self.connection is not None and self.connection.invalidated

    def begin(self, database: Database) -> Connection:
        """Open its database transaction."""
        self.connection = self.commit.enter_context(database.writing())
        return self.connection

    def take(self, rows: Rows, document: bytes) -> None:
        """A unit's posted rows and its document."""
        self.rows.append(rows)
        self.row_count += len(rows)
        self.note(document)

    def note(self, document: bytes) -> None:
        """A unit's document, where it has one."""
        if document:
            self.bodies.append(document)
            self.octets += len(document)

    def abandon(self, error: BaseException) -> None:
        """Take back what its database transaction wrote, where one is open."""
        with suppress(BaseException), self.commit:
            raise error

    def resolve(self) -> None:
        """Give every unit its answer, where it has none yet."""
        if self.answered:
            return
        self.answered = True
        for waiting, answer in zip(self.taken, self.answers, strict=True):
            if isinstance(answer, BaseException):
                waiting.answer.fail(answer)
            else:
                waiting.answer.give(answer)
        # The transaction knows the group: held by each other, both would stay, rows and all, until the garbage collector comes.
        self.tx = self.ready = self.sealed = None

    def fail(self, error: BaseException) -> None:
        """Give every unit the same error."""
        self.answers = [error] * len(self.taken)
        self.resolve()
