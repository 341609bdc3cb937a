"""The watch over a whole run of the tests: every secret that is made in it is looked for in everything that was printed, and in every file that was left.

A leak fails the run and names the test, the kind of secret and the channel, never the secret. Under pytest-xdist each worker watches its own
tests, and what it found goes to the process that started it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import socket
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
from _pytest.capture import CaptureFixture
from typer.testing import CliRunner

from tests.secrecy.design import by_design, carrier
from tests.secrecy.making import ADDRESS, Teller, Watch
from tests.secrecy.search import Search, in_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from _pytest.terminal import TerminalReporter

CHILD: Final = str(Path(__file__).parent / "child")
TESTS: Final = Path(__file__).parents[1]
CHUNK: Final = 1 << 16
OVERLAP: Final = 4096
"""Bytes of a file that two chunks share: no secret, in whatever form, is longer."""


class Said(NamedTuple):
    """What a test let out, and how."""

    test: str
    channel: str
    text: bytes


class Leak(NamedTuple):
    """A secret of a kind that came out in a test, through a channel."""

    test: str
    kind: str
    channel: str


class Heard:
    """A process's output, passed on as it is read."""

    def __init__(self, stream: Any, hear: Callable[[object], None]) -> None:
        self._stream = stream
        self._hear = hear

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.readline, self._stream.read(0))

    def read(self, *size: int) -> Any:
        return self._passed(self._stream.read(*size))

    def readline(self, *size: int) -> Any:
        return self._passed(self._stream.readline(*size))

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def _passed(self, data: Any) -> Any:
        self._hear(data)
        return data


class SecretWatch:
    """The plug-in: hears and remembers while tests run, searches when they are over."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._home = os.getpid()
        self._secrets: dict[bytes, str] = {}
        self._said: dict[int, Said] = {}
        self._folders: dict[Path, str] = {}
        self._test = "before the first test"
        self._undo = contextlib.ExitStack()
        self.leaks: set[Leak] = set()
        self.watched = 0

    # Secrets

    def note(self, kind: str, value: bytes) -> None:
        """A secret was made here; in a fork of this process, it is told to its parent."""
        if os.getpid() == self._home:
            self._secrets.setdefault(value, kind)
        else:
            self._teller(kind, value)

    def _listen(self) -> None:
        address = f"hebat-tests-{self._home}-{secrets.token_hex(8)}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address)
        self._teller = Teller(address)
        self._listener = threading.Thread(target=self._take, name="secrets", daemon=True)
        self._listener.start()
        paths = [CHILD, *filter(None, [os.environ.get("PYTHONPATH")])]
        patched = pytest.MonkeyPatch()
        patched.setenv(ADDRESS, address)
        patched.setenv("PYTHONPATH", os.pathsep.join(paths))
        self._undo.callback(patched.undo)

    def _take(self) -> None:
        while (message := self._socket.recv(65_536)) != b"":
            kind, _, value = message.partition(b"\0")
            self._secrets.setdefault(value, kind.decode())

    def _heard_all(self) -> None:
        """Everything that was told is taken in; an empty message is the last."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._socket.getsockname())
        self._listener.join(60)
        self._socket.close()

    # What is said

    def hear(self, channel: str, text: object) -> None:
        """Somebody printed something."""
        data = text.encode(errors="surrogateescape") if isinstance(text, str) else text
        if isinstance(data, bytes) and data:
            self._said.setdefault(hash((channel, data)), Said(self._test, channel, data))

    def pytest_configure(self) -> None:
        """Begin."""
        self._listen()
        Watch(self.note).install()
        patched = pytest.MonkeyPatch()
        self._hear_returned(
            patched, CaptureFixture, "readouterr", lambda one: [("captured output", text) for text in one]
        )
        self._hear_returned(
            patched,
            subprocess.Popen,
            "communicate",
            lambda one: [("a process's output", text) for text in one],
        )
        self._hear_returned(patched, CliRunner, "invoke", lambda one: [("a command's output", one.output)])
        self._hear_pipes(patched)
        self._undo.callback(patched.undo)

    def _hear_returned(
        self,
        patched: pytest.MonkeyPatch,
        owner: Any,
        name: str,
        parts: Callable[[Any], Iterable[tuple[str, object]]],
    ) -> None:
        real = getattr(owner, name)

        def heard(*given: Any, **named: Any) -> Any:
            result = real(*given, **named)
            for channel, text in parts(result):
                self.hear(channel, text)
            return result

        patched.setattr(owner, name, heard)

    def _hear_pipes(self, patched: pytest.MonkeyPatch) -> None:
        real = subprocess.Popen.__init__

        def opened(process: Any, *given: Any, **named: Any) -> None:
            real(process, *given, **named)
            for name in ("stdout", "stderr"):
                stream = getattr(process, name)
                if stream is not None:
                    setattr(process, name, Heard(stream, lambda text: self.hear("a process's output", text)))

        patched.setattr(subprocess.Popen, "__init__", opened)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Know which test it is."""
        self._test = nodeid

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Know where its files are."""
        folder = getattr(item, "funcargs", {}).get("tmp_path")
        if isinstance(folder, Path):
            self._folders[folder] = item.nodeid

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """What pytest itself captured, and what a failure shows."""
        if report.nodeid != self._test:
            return  # another process's test: its own watch hears it
        for title, text in report.sections:
            self.hear(" ".join(title.lower().split()[:2]), text)
        if report.longrepr is not None:
            self.hear("a failure's report", str(report.longrepr))

    # The search

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Search, and let the run fail where something came out."""
        self._heard_all()
        self._undo.close()
        self._look()
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output["leaks"] = [list(leak) for leak in self.leaks]
            output["watched"] = self.watched
        elif self.leaks and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """A worker of pytest-xdist is done: what it found."""
        output = getattr(node, "workeroutput", {})
        self.leaks |= {Leak(*leak) for leak in output.get("leaks", ())}
        self.watched += output.get("watched", 0)

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """One line a leak; without one, how many secrets were looked for."""
        if not self.leaks:
            terminalreporter.write_line(f"{self.watched} secrets were made; none of them came out")
            return
        terminalreporter.section("secrets came out", red=True)
        for leak in sorted(self.leaks):
            terminalreporter.write_line(f"LEAK {leak.test}: a {leak.kind} in {leak.channel}")

    def _look(self) -> None:
        search = Search(dict(self._secrets))
        self.watched += len(search)
        found: dict[tuple[str, str], dict[bytes, str]] = {}
        for said in list(self._said.values()):  # a server's thread may still be speaking
            found.setdefault((said.test, said.channel), {}).update(search.found(said.text))
        known = remembering(search.found)
        for path, test in self._files():
            for chunk in _chunks(path):
                found.setdefault((test, f"file {path.name}"), {}).update(known(chunk))
        published = in_texts({one for ones in found.values() for one in ones}, _published())
        for (test, channel), ones in found.items():
            kinds = {kind for value, kind in ones.items() if value not in published}
            self.leaks |= {Leak(test, kind, channel) for kind in kinds if not by_design(test, kind, channel)}

    def _files(self) -> Iterator[tuple[Path, str]]:
        factory = getattr(self._config, "_tmp_path_factory", None)
        base = getattr(factory, "_basetemp", None)
        if base is None:
            return
        for folder, _, names in os.walk(base):
            owner = self._owner(Path(folder), base)
            for name in names:
                path = Path(folder, name)
                if not carrier(name) and path.is_file() and not path.is_symlink():
                    yield path, owner

    def _owner(self, folder: Path, base: Path) -> str:
        known = (self._folders.get(one) for one in (folder, *folder.parents))
        parts = folder.relative_to(base).parts
        return next((one for one in known if one is not None), f"folder {parts[0] if parts else '.'}")


def remembering(find: Callable[[bytes], dict[bytes, str]]) -> Callable[[bytes], dict[bytes, str]]:
    """The same answers; bytes that were looked through before, as in the many copies of one city, are known again."""
    before: dict[bytes, dict[bytes, str]] = {}

    def found(data: bytes) -> dict[bytes, str]:
        name = hashlib.blake2b(data, digest_size=16).digest()
        if name not in before:
            before[name] = find(data)
        return before[name]

    return found


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            tail = b""
            while data := file.read(CHUNK):
                yield tail + data
                tail = data[-OVERLAP:]
    except OSError:
        return  # a socket, or a file that has gone


def _published() -> Iterator[bytes]:
    """Known-answer vectors, and the keys that tests write out themselves: everybody may read them."""
    for path in TESTS.rglob("*"):
        if path.suffix in {".py", ".json"}:
            yield path.read_bytes()
