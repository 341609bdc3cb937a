"""What terminals were answered, held against the books: a receipt is for what is in them and on the plate, and the same bytes get the same answer (laws 3, 4, 6)."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from card.batch import RELAYED_FROM, decode_batch, digest
from hebat.simulate.breach import Breach
from hebat.simulate.network import BATCHES, FARES, HOTLIST
from hebat.simulate.riding import Given
from keys import envelope
from ledger.errors import StorageError
from ledger.intake import store as taken
from ledger.store import Database
from terminals.errors import TerminalError, UploadRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hebat.simulate.network import Reply, Request
    from hebat.simulate.server import Server

_OK: Final = 200
_CONFLICT: Final = 409
_ANSWERED_ALIKE: Final = (BATCHES, "/v1/loads", "/v1/loads/step")


class Answers:
    """The receipts that terminals have, and what they were told of the city."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.receipted: dict[tuple[int, int], tuple[bytes, int]] = {}
        self.given_fares: defaultdict[int, Given] = defaultdict(Given)
        """By terminal, by the story's clock."""
        self.in_touch: set[int] = set()
        """Terminals that have ever had a hotlist: before that, a terminal counts its hours offline from its own first start."""

    def answered(self, terminal: int, request: Request, reply: Reply) -> None:
        """A terminal has an answer. To a batch, that it is taken: it is in the books, on the plate, with every record posted or kept."""
        if request.path == HOTLIST and reply.status == _OK:
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
        pending = any(one.pending for path, one in self._server.volume.files.items() if path.endswith("-wal"))
        if pending and not self._is_on_the_plate(terminal, batch.first_sequence):
            raise Breach(4, f"terminal {terminal} has a receipt for what is not synced")

    def _is_on_the_plate(self, terminal: int, first: int) -> bool:
        """Whether a batch would be there if the power went now. What is pending may be another's: the ledger ends loads while it answers."""
        plate = {Path(path).name: bytes(one.durable) for path, one in self._server.volume.files.items()}
        with TemporaryDirectory(prefix="hebat-plate-") as folder:
            for name, content in plate.items():
                (Path(folder) / name).write_bytes(content)
            database = Database(f"sqlite:///{Path(folder) / self._server.city.ledger.database.name}")
            try:
                with database.transaction() as connection:
                    return taken.batch_at(connection, terminal, first) is not None
            except StorageError:
                return False
            finally:
                database.close()

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


def need_no_conflict(error: TerminalError) -> None:
    """An honest terminal is never told that it has sent something else, or something out of order."""
    if isinstance(error, UploadRefused) and error.status == _CONFLICT:
        raise Breach(3, f"an honest terminal was refused: {error}")
