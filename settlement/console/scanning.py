"""Files that staff bring are looked at by a scanner of malicious content before any page has them: ClamAV's clamd, at its socket (clamd(8), INSTREAM).

A city without one takes files as they come. A city with one takes none that it did not call good: away, silent or full is no verdict.
"""

from __future__ import annotations

import re
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from settlement.errors import FileUnsafe, ScannerAway

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settlement.console.calls import Upload

CHUNK_BYTES: Final = 1 << 18
ANSWER_BYTES_MAX: Final = 4096
SECONDS_MAX: Final = 120
"""How long one write or the verdict may take: half a gigabyte of a bank's lines is looked at for a while."""
_FOUND: Final = re.compile(rb"stream: (.+) FOUND\0?")
_GOOD: Final = re.compile(rb"stream: OK\0?")


class Scanner(Protocol):
    """What looks at files."""

    def look(self, file: Upload) -> None:
        """Raises FileUnsafe for a bad file, ScannerAway where there is no verdict."""


class Clamd:
    """A clamd that listens at a socket of this machine."""

    def __init__(self, path: str) -> None:
        self._path = path

    def look(self, file: Upload) -> None:
        """Raises FileUnsafe for a bad file, ScannerAway where there is no verdict."""
        try:
            said = self._asked(file.content)
        except OSError as error:
            raise ScannerAway(
                f"the scanner at {self._path} does not answer ({error.strerror or error}): no file is taken until it does"
            ) from None
        found = _FOUND.fullmatch(said)
        if found is not None:
            raise FileUnsafe(
                f"the scanner calls this file {found[1].decode(errors='replace')[:80]}: nothing of it was kept"
            )
        if _GOOD.fullmatch(said) is None:
            raise ScannerAway(
                f"the scanner gives no verdict on this file: {said.decode(errors='replace')[:80]!r}"
            )

    def _asked(self, content: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(SECONDS_MAX)
            line.connect(self._path)
            with suppress(
                BrokenPipeError, ConnectionResetError
            ):  # a file over its bound: it has answered, and hears no more
                for part in _told(content):
                    line.sendall(part)
            return _answer(line)


def _told(content: bytes) -> Iterator[bytes]:
    """The command, then the file in chunks that say how long they are, then one of nothing."""
    yield b"zINSTREAM\0"
    for start in range(0, len(content), CHUNK_BYTES):
        chunk = content[start : start + CHUNK_BYTES]
        yield struct.pack(">I", len(chunk)) + chunk
    yield struct.pack(">I", 0)


def _answer(line: socket.socket) -> bytes:
    said = b""
    while not said.endswith(b"\0") and len(said) < ANSWER_BYTES_MAX and (more := line.recv(ANSWER_BYTES_MAX)):
        said += more
    return said


def scanner_at(path: str) -> Scanner | None:
    """The scanner at a socket; None where no path is named."""
    return Clamd(path) if path else None
