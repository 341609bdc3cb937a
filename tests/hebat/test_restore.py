"""A lost database comes back: a base backup and archived WAL, to the end or to a moment; what terminals had no receipt for they send again."""

from __future__ import annotations

import shutil
import subprocess
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import psycopg2
import pytest

from hebat.demo import town
from hebat.progress import Quiet
from hebat.story_clock import StoryClock
from hebat.verifying import verify_folder
from hebat.wiring import City
from tests.ledger.crash.cluster import START_SECONDS_MAX, Cluster, _drop
from tests.ledger.crash.traffic import make_traffic, place
from tests.ledger.desk import NOON

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hebat.folder import Folder
    from tests.ledger.crash.traffic import Traffic

BATCHES: Final = 4
POINT: Final = "before_the_mistake"


class Archived(Cluster):
    """A PostgreSQL that archives its WAL as deploy/postgresql.conf has it, to be backed up, lost and restored."""

    def __init__(self) -> None:
        super().__init__(archive_mode="on", wal_level="replica", max_wal_senders="4")
        self.urls: list[str] = []
        self.archive, self.base = self.folder / "wal", self.folder / "base"
        self._run("mkdir", str(self.archive))
        kept = f"{self.archive}/%f"
        self._settings["archive_command"] = (
            f"test ! -f {kept} && cp %p {kept}.part && sync {kept}.part && mv {kept}.part {kept}"
        )

    def _run(self, *command: str) -> None:
        subprocess.run(command, check=True, user=_drop(), cwd=self.folder, capture_output=True, timeout=120)

    def database(self) -> str:
        """The URL of an empty database, remembered."""
        self.urls.append(super().database())
        return self.urls[-1]

    def back_up(self) -> None:
        """A base backup, while it serves."""
        self._run(
            str(self._programs / "pg_basebackup"),
            "-h",
            str(self.folder),
            "-U",
            "postgres",
            "-D",
            str(self.base),
            "-c",
            "fast",
            "-X",
            "none",
        )
        self._run(str(self._programs / "pg_verifybackup"), "-n", str(self.base))

    def archived(self) -> None:
        """Wait until all WAL so far is in the archive."""
        with closing(self.connect("postgres")) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute("SELECT pg_walfile_name(pg_current_wal_lsn())")
            (last,) = cursor.fetchone()
            cursor.execute("SELECT pg_switch_wal()")
        until = time.monotonic() + START_SECONDS_MAX
        while not (self.archive / last).exists():
            assert time.monotonic() < until
            time.sleep(0.05)

    def lose(self) -> None:
        """The machine burns: nothing is left but the base backup and the archive."""
        self.kill()
        shutil.rmtree(self.data)

    def restore(self, point: str = "") -> None:
        """Come back from both, to the end of the archive or to a named point."""
        self._run("cp", "-a", str(self.base), str(self.data))
        self._run("touch", str(self.data / "recovery.signal"))
        self._settings |= {
            "restore_command": f"cp {self.archive}/%f %p",
            "recovery_target_action": "promote",
            "recovery_target_timeline": "current",
        }
        self._settings["recovery_target_name"] = point
        self.start()
        until = time.monotonic() + START_SECONDS_MAX
        while True:
            with (
                suppress(psycopg2.OperationalError),
                closing(self.connect("postgres")) as one,
                one.cursor() as cursor,
            ):
                cursor.execute("SELECT pg_is_in_recovery()")
                if cursor.fetchone() == (False,):
                    return
            assert time.monotonic() < until, (self.folder / "log").read_text()
            time.sleep(0.05)


@dataclass(frozen=True)
class Lost:
    """A city whose database is gone, what its terminals had sent, and what they were answered."""

    cluster: Archived
    folder: Folder
    traffic: Traffic
    told: list[dict[str, Any]]

    def sent_again(self) -> list[dict[str, Any]]:
        """What the city answers to every batch that was ever sent."""
        with City(self.folder, town.CONFIGURATION, StoryClock(NOON)) as city:
            return [received(city, body) for turn in range(BATCHES) for body in self.of(turn)]

    def of(self, turn: int) -> list[bytes]:
        """Each terminal's batch of a turn."""
        return [stream[turn] for stream in self.traffic.bodies]

    def taps(self) -> int:
        """Taps in the books, each verified from its Transaction MAC up to the chain."""
        evidence = verify_folder(self.folder, Quiet()).evidence
        assert evidence is not None
        return evidence.taps


def received(city: City, body: bytes) -> dict[str, Any]:
    return city.intake.receive(body).as_json()


def results(told: list[dict[str, Any]]) -> list[str]:
    return [one["result"] for answer in told for one in answer["results"]]


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lost]:
    """Backed up after the second of four batches of each terminal; a point was named after the third; lost after the fourth."""
    with Archived() as cluster:
        root = tmp_path_factory.mktemp("lost")
        traffic = make_traffic(root, BATCHES, cluster.database())
        made = Lost(cluster, place(root / "city", cluster.urls[-1]), traffic, [])
        with City(made.folder, town.CONFIGURATION, StoryClock(NOON)) as city:
            for turn in range(BATCHES):
                made.told.extend(received(city, body) for body in made.of(turn))
                if turn == 1:
                    cluster.back_up()
                if turn == 2:
                    cluster.execute("postgres", f"SELECT pg_create_restore_point('{POINT}')")
        cluster.archived()
        yield made


@pytest.mark.slow
def test_law_04_what_was_answered_is_there_again_after_the_machine_was_lost(lost: Lost) -> None:
    lost.cluster.lose()
    lost.cluster.restore()
    assert lost.taps() == lost.traffic.taps
    assert lost.sent_again() == lost.told, "every receipt that was given, byte for byte"
    assert lost.taps() == lost.traffic.taps, "and nothing is posted twice"


@pytest.mark.slow
def test_the_books_come_back_as_they_were_at_a_named_moment_and_go_on_from_there(lost: Lost) -> None:
    lost.cluster.lose()
    lost.cluster.restore(POINT)
    assert lost.taps() == lost.traffic.taps * 3 // 4
    again = lost.sent_again()
    assert results(again) == ["posted"] * lost.traffic.taps
    assert lost.taps() == lost.traffic.taps
