"""COPY after COPY to PostgreSQL, none waiting for the answer to the one before: each is about one partition, so a commit has dozens.

Their messages stand behind each other in one buffer, which goes over the driver's own socket while libpq rests; answers are read as
they come. PostgreSQL documentation, "Frontend/Backend Protocol", sections on simple queries and on COPY: after an error the server
leaves the other statements of the query out, and drops the data that is still sent for them. Where the connection is encrypted, its
bytes are libpq's alone to write, and the driver sends each COPY by itself.
"""

from __future__ import annotations

import io
import os
import socket
import struct
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import psycopg2
from psycopg2 import errors, extensions

from ledger.bulk.binary import SIGNATURE, TRAILER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

    from ledger.bulk.binary import Octets

    Integers = npt.NDArray[np.int64]

ROWS_A_COPY: Final = 192
"""PostgreSQL (from 17 on) pins a row description for each of the first thousand rows of a COPY, in a table where equal entries collide:
n rows cost n² steps. Cut at this, all of them cost less than the smallest COPY's own 30 microseconds."""
SEND_BYTES: Final = 1 << 18
COPIES_A_SEND: Final = 64
"""How many go out before answers are looked at: so many of those the system holds for us by far."""
_UNHEARD: Final = struct.pack("@ll", 0, 20_000)
"""How long a call waits for a server that takes nothing: seconds and microseconds (struct timeval)."""
_READ_BYTES: Final = 1 << 16
_LENGTH: Final = 4
_HEAD: Final = struct.Struct(">cI")
"""Of each message: what it is, and the octets from its length on."""
_AROUND: Final = _LENGTH + len(SIGNATURE) + len(TRAILER)
_READY: Final = b"Z"
_FAILED: Final = b"E"
_END: Final = TRAILER + _HEAD.pack(b"c", _LENGTH)


def parts(partitions: Integers) -> tuple[Integers, Integers]:
    """Rows by partition, in their order in each: the order, and where in it each COPY begins."""
    if len(partitions) <= ROWS_A_COPY:
        return _few_parts(partitions.tolist())
    narrow = partitions.astype(np.uint8)  # small numbers are sorted by counting them
    order = np.argsort(narrow, kind="stable")
    changes = np.flatnonzero(np.diff(narrow[order], prepend=narrow[order[:1]]))
    firsts = np.concatenate([[0], changes])
    place = np.arange(len(order)) - np.repeat(firsts, np.diff(firsts, append=len(order)))
    return order, np.flatnonzero(place % ROWS_A_COPY == 0)


def _few_parts(partitions: list[int]) -> tuple[Integers, Integers]:
    """The same for no more rows than a COPY has: so many are sorted sooner than NumPy is asked a dozen times."""
    order = sorted(range(len(partitions)), key=partitions.__getitem__)
    sort = [partitions[row] for row in order]
    cuts = [at for at, one in enumerate(sort) if not at or one != sort[at - 1]]
    return np.array(order, np.int64), np.array(cuts, np.int64)


class Copies:
    """COPY statements with their data, to be sent in one go."""

    def __init__(self) -> None:
        self._statements: list[str] = []
        self._tuples: list[bytes | memoryview] = []

    def __len__(self) -> int:
        return len(self._statements)

    def add(self, statement: str, tuples: Octets, cuts: Integers) -> None:
        """One COPY for each piece of some tuples; `cuts` are the octets at which the pieces begin."""
        octets = tuples.data
        edges = [*cuts.tolist(), len(octets)]
        self._tuples += [octets[start:end] for start, end in pairwise(edges)]
        self._statements += [statement] * (len(edges) - 1)

    def put(self, statement: str, tuples: bytes | memoryview) -> None:
        """One COPY."""
        self._statements.append(statement)
        self._tuples.append(tuples)

    def extend(self, others: Copies) -> None:
        """Those of others behind these."""
        self._statements += others._statements
        self._tuples += others._tuples

    def messages(self) -> Iterator[bytes]:
        """All of them in the protocol's words, so many at a time: one query, then each one's data and its end."""
        yield _message(b"Q", ";".join(self._statements).encode() + b"\0")
        for first in range(0, len(self._tuples), COPIES_A_SEND):
            said: list[bytes | memoryview] = []
            for tuples in self._tuples[first : first + COPIES_A_SEND]:
                said += (_HEAD.pack(b"d", _AROUND + len(tuples)), SIGNATURE, tuples, _END)
            yield b"".join(said)

    def send(self, connection: Any) -> None:
        """Have them done in the driver's open transaction; raises psycopg2.Error as the driver would."""
        if not self._statements:
            return
        driver: extensions.connection = connection.driver_connection
        if driver.info.transaction_status == extensions.TRANSACTION_STATUS_IDLE:
            with driver.cursor() as cursor:
                cursor.execute("SELECT 1")  # the driver begins its transaction with its first statement only
        if _is_encrypted(driver):
            with driver.cursor() as cursor:
                for statement, tuples in zip(self._statements, self._tuples, strict=True):
                    stream = io.BytesIO(b"".join((SIGNATURE, tuples, TRAILER)))
                    cursor.copy_expert(statement, stream, SEND_BYTES)
            return
        with socket.socket(fileno=os.dup(driver.fileno())) as wire:
            _exchange(wire, self.messages())


def _message(kind: bytes, body: bytes = b"") -> bytes:
    return _HEAD.pack(kind, _LENGTH + len(body)) + body


def _is_encrypted(driver: extensions.connection) -> bool:
    """Whether bytes of ours could not be read at the other end; a GSS encryption cannot be seen, only be forbidden."""
    forbidden = driver.info.dsn_parameters.get("gssencmode") == "disable"
    return bool(driver.info.ssl_in_use) or not (forbidden or driver.info.host.startswith("/"))


def _exchange(wire: socket.socket, said: Iterable[bytes]) -> None:
    """Say all of it and hear the answer to its end; a connection left in between could not be used again, so it ends."""
    heard = _Heard()
    wire.setblocking(True)
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _UNHEARD)
    try:
        _talk(wire, said, heard)
    except OSError as error:
        raise heard.error or psycopg2.OperationalError(f"the connection was cut: {error.strerror}") from error
    finally:
        wire.setblocking(False)  # as libpq has it: the mode is one for both
        if not heard.ready:
            with suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)
    if heard.error is not None:
        raise heard.error


def _talk(wire: socket.socket, said: Iterable[bytes], heard: _Heard) -> None:
    """Write and read by turns: each side may have more to say than the system holds for the other.

    To write is one call that waits in the system, without the interpreter's lock, which it would have to get again for each answer.
    Where the server takes nothing for a while, it may wait for us to hear it.
    All of it is sent, whatever the server says meanwhile: it drops what it does not want, but a message that ended in its middle
    would swallow the driver's next one, and both sides would wait for ever.
    """
    for piece in said:
        left = memoryview(piece)
        while left:
            with suppress(BlockingIOError):
                left = left[wire.send(left, socket.MSG_NOSIGNAL) :]
            with suppress(BlockingIOError):
                heard.listen(wire, socket.MSG_DONTWAIT)
    while not heard.ready:
        heard.listen(wire)


class _Heard:
    """What the server answers: whether it is ready for more, and the first error that it told of."""

    def __init__(self) -> None:
        self.ready = False
        self.error: psycopg2.Error | None = None
        self._octets = b""

    def listen(self, wire: socket.socket, flags: int = 0) -> None:
        """Take what has come, or else what comes next."""
        octets = wire.recv(_READ_BYTES, flags)
        if not octets:
            raise ConnectionResetError(0, "the server closed the connection unexpectedly")
        self.take(octets)

    def take(self, octets: bytes) -> None:
        """Take what has come; a message may come in pieces."""
        heard = self._octets + octets
        at, size = 0, len(heard)
        while size - at >= _HEAD.size:
            kind, length = _HEAD.unpack_from(heard, at)
            end = at + 1 + length
            if size < end:
                break
            self.ready = kind == _READY
            if kind == _FAILED and self.error is None:
                self.error = _error_of(heard[at + _HEAD.size : end])
            at = end
        self._octets = heard[at:]


def _error_of(body: bytes) -> psycopg2.Error:
    """The driver's error for what the server says, by its SQLSTATE (field C); M is the message, D its detail."""
    fields = {one[:1]: one[1:].decode(errors="replace") for one in body.split(b"\0") if one}
    told = fields.get(b"M", "the server tells of an error without a message")
    detail = f"\nDETAIL:  {fields[b'D']}" if b"D" in fields else ""
    try:
        kind: type[psycopg2.Error] = errors.lookup(fields.get(b"C", ""))
    except KeyError:
        kind = psycopg2.DatabaseError
    return kind(f"{told}{detail}\n")
