"""Commands as pages show them: found, typed into a shell in a folder of their own, and their output held against what the page shows.

A block that begins with ```console is typed in: each line after `$ ` is a command, lines below it are what it says. `[...]` stands for anything; figures, dates
and codes may differ, words may not. A block is left out where a comment before it says why: <!-- not run: reason -->.
"""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from tests.system.ready import ROOT, ready

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

PASSPHRASE: Final = "correct horse battery staple"
WAIT_S: Final = 90.0
ADDRESS: Final = "127.0.0.1:8460"
"""Where pages say that a server answers; a test's server takes a free port."""
_BLOCK: Final = re.compile(
    r"(?:<!-- not run: (?P<why>[^>]+?) -->\s*\n)?^```console\n(?P<body>.*?)^```", re.MULTILINE | re.DOTALL
)
_COMMENT: Final = re.compile(r"\s+# .*$")
_CODE: Final = re.compile(r"\b[0-9A-Z]{4}(?:-[0-9A-Z]{4}){3,}\b")
_VARYING: Final = (
    (_CODE, "CODE"), (re.compile(r"\b[0-9a-f]{8,}\b"), "HEX"), (re.compile(r"\d[\d.,:-]*\d|\d"), "#"), (re.compile(r"\s+"), " "),
)  # fmt: skip
_ENDED: Final = {"night": {0, 5}, "audit": {0, 5}}
"""Commands that end otherwise than with 0 where there is something for people to look at."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a page, and the lines that the page shows below it."""

    text: str
    shown: tuple[str, ...]

    @property
    def refused(self) -> bool:
        """Whether the page shows it to be refused."""
        return any(line.startswith("hebat: ") for line in self.shown)

    @property
    def typed(self) -> tuple[str, ...]:
        """What the page shows to be asked for at the terminal."""
        return tuple(
            line
            for line in self.shown
            if re.match(
                r"(Passphrase of the vault|The same again|Password|Repeat for confirmation|Code):", line
            )
        )


def blocks(page: str) -> list[tuple[str, list[Command]]]:
    """The blocks of a page: why one is not run ("": it is), and its commands."""
    return [((one["why"] or ""), _commands(one["body"])) for one in _BLOCK.finditer(page)]


def _commands(body: str) -> list[Command]:
    found: list[Command] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            found.append(Command(_COMMENT.sub("", line[2:]), ()))
        elif found and line.strip():
            found[-1] = Command(found[-1].text, (*found[-1].shown, line))
    return found


def plain(line: str) -> str:
    """A line without what differs from run to run."""
    for pattern, word in _VARYING:
        line = pattern.sub(word, line)
    return line.strip()


def missing(shown: tuple[str, ...], said: str) -> list[str]:
    """The lines that a page shows and a command did not say, in this order."""
    lines, at, lost = [plain(line) for line in said.splitlines()], 0, []
    for line in shown:
        pattern = re.compile(".*".join(map(re.escape, plain(_COMMENT.sub("", line)).split("[...]"))))
        hit = next((i for i in range(at, len(lines)) if pattern.fullmatch(lines[i])), None)
        if hit is None:
            lost.append(line)
        else:
            at = hit + 1
    return lost


@dataclass
class Shell:
    """Somebody at a shell in a folder that has what a checkout has at its top."""

    folder: Path
    demo: Path | None = None
    reader_port: int = 0
    port: int = 8460
    code: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "var").mkdir()
        for name in ("deploy", "terminals"):
            (self.folder / name).symlink_to(ROOT / name)
        words = self.folder / "var" / "passphrase"
        words.touch(0o600)
        words.write_text(PASSPHRASE)
        shim = self.folder / "run"
        shim.write_text('#!/bin/sh\nexec $HEBAT "$@"\n')
        shim.chmod(0o755)
        self.environment = {
            "HEBAT": " ".join(ready().command()), "HEBAT_PORT": str(self.port), "HEBAT_PASSPHRASE_FILE": str(words), "TERM": "dumb",
        }  # fmt: skip
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop("")
        for kept in ("passphrase", "card"):  # no secret stays: a saved virtual card holds its keys
            (self.folder / "var" / kept).unlink(missing_ok=True)

    def type(self, command: Command) -> str:
        """Type a command; what it said. Raises AssertionError where it ends otherwise than the page shows."""
        text = self._ours(command.text)
        if text.startswith("export "):
            name, _, value = text.removeprefix("export ").partition("=")
            self.environment[name] = value.replace("$PWD", str(self.folder))
            return ""
        if text.startswith("kill %"):
            self.stop("", only=int(text.removeprefix("kill %")))
            return ""
        if "var/city" in text and self.demo is not None and not (self.folder / "var" / "city").exists():
            shutil.copytree(self.demo, self.folder / "var" / "city")
        if "--keep var/city" in text:
            return ""  # the fixture's day is there
        if text.endswith("&"):
            return self._start(text.removesuffix("&").strip())
        said, ended = self._typed(text, command) if command.typed else self._run(text)
        found = _CODE.search(said)
        self.code = found[0] if found else self.code
        good = {2} if command.refused else _ENDED.get([*text.split(), ""][1], {0})
        assert ended in good, f"$ {command.text}\nended with {ended}:\n{said}"
        return said

    def stop(self, program: str, only: int = 0) -> None:
        """End what was started with & (of one command, or the job of a number where one is named), as Ctrl-C would."""
        for number, one in list(enumerate(self.running, 1)):
            if program not in str(one.args) or only not in {0, number} or one.poll() is not None:
                continue
            os.killpg(one.pid, signal.SIGINT)
            one.wait(WAIT_S)

    def _ours(self, text: str) -> str:
        """A page's command for this machine: its port, its reader, and the code that was printed here."""
        text = _CODE.sub(lambda _: self.code, text.replace("[...]", "")) if self.code else text
        text = re.sub(r"(--code )\S+", rf"\g<1>{self.code}", text)
        if "card simulate" in text:
            text = text.replace("card simulate", f"card simulate --port {self.reader_port}")
        if " terminal run" in text:
            text = text.replace(
                " terminal run", f" terminal run --port 0 --ledger http://127.0.0.1:{self.port}"
            )
        return text.replace(ADDRESS, f"127.0.0.1:{self.port}")

    def _run(self, text: str) -> tuple[str, int]:
        done = subprocess.run(
            ["bash", "-c", text], cwd=self.folder, env=os.environ | self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=WAIT_S, check=False,
        )  # fmt: skip
        return done.stdout.decode(), done.returncode

    def _start(self, text: str) -> str:
        """Begin what goes on; back once it has said something. A second one of a command takes the first one's place."""
        self.stop(" ".join(text.split()[:2]))
        log = self.folder / "var" / f"log-{time.monotonic_ns()}"
        with log.open("wb") as out:
            started = subprocess.Popen(
                ["bash", "-c", f"exec {text}"], cwd=self.folder, env=os.environ | self.environment,
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self.running.append(started)
        until = time.monotonic() + WAIT_S
        while not re.search(r"http://|A virtual", log.read_text()):
            assert started.poll() is None, f"$ {text}\n{log.read_text()}"
            assert time.monotonic() < until, f"$ {text} says nothing"
            time.sleep(0.05)
        return log.read_text()

    def _typed(self, text: str, command: Command) -> tuple[str, int]:
        """Type a command at a terminal, and what it asks for."""
        at_terminal = {"HEBAT_PASSPHRASE_FILE": ""}
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.folder)
            os.execve(
                "/bin/bash", ["bash", "-c", f"exec {text}"], os.environ | self.environment | at_terminal
            )
        answers = [self.code if one.startswith("Code") else PASSPHRASE for one in command.typed]
        said, answered, until = "", 0, time.monotonic() + WAIT_S
        while time.monotonic() < until:
            try:
                said += os.read(terminal, 65_536).decode() if select.select([terminal], [], [], 1)[0] else ""
            except OSError:  # the other side has gone
                break
            asked = [said.find(one.partition(":")[0]) for one in command.typed]
            if answered < len(answers) and asked[answered] >= 0:
                time.sleep(0.05)
                os.write(terminal, answers[answered].encode() + b"\n")
                answered += 1
        os.close(terminal)
        return said, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
