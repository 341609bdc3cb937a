"""Files that staff bring, and a scanner before the pages: a bad file reaches none of them, and without a verdict none does.

The scanner here is a speaker of clamd's protocol that is stricter than it is; `test_console_clamd` asks the same of Debian's own.
"""

from __future__ import annotations

import hashlib
import socketserver
import struct
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from settlement.console.calls import Upload
from settlement.console.import_pages import ROOT as IMPORTS
from settlement.console.scanning import CHUNK_BYTES, Clamd, scanner_at
from settlement.errors import FileUnsafe, ScannerAway
from settlement.staff import store
from tests.settlement.at_desk import Opened, member, opened, send
from tests.settlement.test_console_work import worked
from tests.settlement.town import DAY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settlement.console.scanning import Scanner
    from settlement.staff.log import Said
    from tests.settlement.town import Stage

BAD: Final = b"a program that does harm, for this test alone"
"""What the scanners are told to find. (The string that every scanner knows would have this file itself taken away on some machines.)"""
NAME: Final = "Hebat.Test.Harm"


class Speaker(socketserver.BaseRequestHandler):
    """One call of clamd's protocol, to the letter: anything else than z, INSTREAM and chunks ends it without a verdict."""

    bytes_max = 4 << 20

    def handle(self) -> None:
        if self._taken(10) != b"zINSTREAM\0":
            return
        content = b""
        while size := struct.unpack(">I", self._taken(4))[0]:
            if len(content) + size > self.bytes_max:
                self.request.sendall(b"INSTREAM size limit exceeded. ERROR\0")
                return
            content += self._taken(size)
        bad = BAD in content
        self.request.sendall(b"stream: %s\0" % (f"{NAME} FOUND".encode() if bad else b"OK"))

    def _taken(self, count: int) -> bytes:
        taken = b""
        while len(taken) < count and (more := self.request.recv(count - len(taken))):
            taken += more
        assert len(taken) == count
        return taken


@contextmanager
def speaker(folder: Path) -> Iterator[str]:
    path = str(folder / "clamd.ctl")
    with socketserver.ThreadingUnixStreamServer(path, Speaker) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield path
        server.shutdown()


@pytest.fixture(scope="module")
def path() -> Iterator[str]:
    """The socket of a scanner."""
    with tempfile.TemporaryDirectory(prefix="kshav") as folder, speaker(Path(folder)) as found:
        yield found


def looked_at(scanner: Scanner, content: bytes) -> str:
    try:
        scanner.look(Upload("file.pdf", content))
    except (FileUnsafe, ScannerAway) as error:
        return f"{type(error).__name__}: {error}"
    return "good"


@pytest.mark.parametrize("content", [b"", b"a", bytes(CHUNK_BYTES), bytes(3 * CHUNK_BYTES + 1)], ids=len)
def test_a_good_file_is_good_whatever_its_length(path: str, content: bytes) -> None:
    assert looked_at(Clamd(path), content) == "good"


@pytest.mark.parametrize("before", [0, 100, CHUNK_BYTES - 10, 2 * CHUNK_BYTES])
def test_a_bad_file_is_named_also_where_two_chunks_meet(path: str, before: int) -> None:
    said = looked_at(Clamd(path), b"." * before + BAD + b"." * 100)
    assert said.startswith("FileUnsafe")
    assert NAME in said


def test_a_bad_file_reaches_no_page_and_stands_in_the_staffs_log(
    stage: Stage, tmp_path: Path, path: str
) -> None:
    at = opened(stage, tmp_path, scanner_at(path))
    stage.night.run(DAY)
    here = f"/console/breaks/{worked(at, stage)}"
    maker = member(at, "maker")
    refused = send(maker, f"{here}/attach", here, files={"file": ("letter.pdf", BAD)})
    assert (refused.status_code, NAME in refused.text) == (422, True)
    assert "/files/" not in maker.get(here).text
    assert next(one.detail for one in logged(at) if one.action == "file refused").startswith("letter.pdf: ")
    assert send(maker, f"{here}/attach", here, files={"file": ("letter.pdf", b"good")}).status_code == 303
    assert hashlib.sha256(b"good").hexdigest() in maker.get(here).text


def test_of_many_files_one_bad_one_keeps_all_of_them_out(stage: Stage, tmp_path: Path, path: str) -> None:
    at = opened(stage, tmp_path, scanner_at(path))
    maker = member(at, "maker")
    files = [("files", ("a.xml", b"<a/>")), ("files", ("b.xml", BAD)), ("files", ("c.xml", b"<c/>"))]
    assert send(maker, IMPORTS, IMPORTS, files=files).status_code == 422
    assert "a.xml" not in maker.get(IMPORTS).text


def test_without_a_verdict_no_file_is_taken(stage: Stage, tmp_path: Path) -> None:
    at = opened(stage, tmp_path, scanner_at(str(tmp_path / "nowhere")))
    stage.night.run(DAY)
    here = f"/console/breaks/{worked(at, stage)}"
    maker = member(at, "maker")
    refused = send(maker, f"{here}/attach", here, files={"file": ("letter.pdf", b"good")})
    assert (refused.status_code, "does not answer" in refused.text) == (422, True)
    assert "/files/" not in maker.get(here).text


def test_a_scanner_that_hangs_up_or_has_no_room_gives_no_verdict() -> None:
    class Deaf(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(10)

    with tempfile.TemporaryDirectory(prefix="kshav") as folder, speaker(Path(folder)) as strict:
        assert "size limit exceeded" in looked_at(Clamd(strict), bytes(Speaker.bytes_max + 1))
        deaf = f"{folder}/deaf.ctl"
        with socketserver.ThreadingUnixStreamServer(deaf, Deaf) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            assert looked_at(Clamd(deaf), b"good").startswith("ScannerAway")
            server.shutdown()


def test_a_city_that_names_no_scanner_takes_files_as_they_come(stage: Stage, tmp_path: Path) -> None:
    at = opened(stage, tmp_path, scanner_at(""))
    stage.night.run(DAY)
    here = f"/console/breaks/{worked(at, stage)}"
    maker = member(at, "maker")
    assert send(maker, f"{here}/attach", here, files={"file": ("letter.pdf", BAD)}).status_code == 303


def logged(at: Opened) -> list[Said]:
    with at.desk.database.transaction() as connection:
        return [entry.said for entry in store.entries(connection)]
