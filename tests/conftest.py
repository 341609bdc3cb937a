"""What every test shares: tests whose Debian package is missing are left out, with the package's name as the reason."""

from __future__ import annotations

import gc
import io
import logging
import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.authorities_once import make_authorities_once
from tests.commands_once import make_commands_once
from tests.secrecy.plugin import SecretWatch
from tests.shared_data import shared_data
from tests.statements_once import make_statements_once

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system.tears_city import Rig

ROOT = Path(__file__).resolve().parents[1]

# A run draws what the run before it drew, and no draw fails for being slow on a busy machine: a run that fails has a fault to show. HEBAT_LONG=1 draws anew.
settings.register_profile(
    "suite",
    derandomize=not os.environ.get("HEBAT_LONG"),
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")


def load_run(path: Path) -> Any:
    """The script `run` as a module."""
    loader = SourceFileLoader("run_script", str(path))
    spec = spec_from_loader("run_script", loader)
    assert spec is not None
    script = module_from_spec(spec)
    loader.exec_module(script)
    return script


def pytest_configure(config: pytest.Config) -> None:
    """Look once for what is missing; watch every secret from here on, but where time is measured."""
    make_commands_once()
    make_authorities_once()
    make_statements_once()
    watch = SecretWatch(config)
    if config.getoption("capture") != "no":
        log: Any = LogOfTests(watch)
        structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(log))
    config.stash[MISSING] = load_run(ROOT / "run").left_out()
    if not config.getoption("benchmark_only", default=False):
        config.pluginmanager.register(watch, "secret-watch")


class LogOfTests(io.TextIOBase):
    """Where the log goes: into the output of the test that runs; what a server's thread says between two tests goes to the watch alone, not between pytest's dots."""

    def __init__(self, watch: SecretWatch) -> None:
        self._watch = watch

    def write(self, text: str) -> int:
        """One line."""
        if sys.stdout is sys.__stdout__:
            self._watch.hear("the log between two tests", text)
            return len(text)
        return sys.stdout.write(text)


MISSING = pytest.StashKey[list[Any]]()


def pytest_collection_finish() -> None:
    """What is loaded by now stays: the collector need not look at it again, time after time, to the end."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Take away what tests that passed left in memory, where `./run test` has put their files."""
    folder = Path(tempfile.gettempdir())
    if session.exitstatus == pytest.ExitCode.OK and folder.name == f"ksh-{os.getpid()}":
        session.config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave a test out where a line of system-packages.txt names it and the package is not there."""
    for need in item.config.stash[MISSING]:
        place = ROOT / need.tests
        if item.path == place or place in item.path.parents:
            pytest.skip(f"it needs the Debian package {need.package} ({need.purpose})")


@pytest.fixture(scope="session")
def run_script() -> Any:
    """The script `run` of this checkout as a module."""
    return load_run(ROOT / "run")


@contextmanager
def _log_as_it_was() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture(autouse=True, scope="module")
def log_of_the_module_before() -> Iterator[None]:
    """What a module's fixtures set the log up to, as commands do, ends with the module."""
    with _log_as_it_was():
        yield


@pytest.fixture(autouse=True)
def log_of_the_test_before() -> Iterator[None]:
    """A test that sets the log up leaves none of it to the next."""
    with _log_as_it_was():
        yield


@pytest.fixture(scope="session")
def data() -> Path:
    """The real inputs; a test that needs them says so when they are absent."""
    folder = shared_data()
    if folder is None:
        pytest.skip("real inputs are absent: ../shared/data is not there and HEBAT_SHARED points nowhere")
    return folder


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A city with its terminals, cards that can be torn, and a quiet log."""
    from tests.system.tears_city import Rig  # noqa: PLC0415  all rooms share this file, few need a city

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    made = Rig(tmp_path)
    yield made
    made.close()
