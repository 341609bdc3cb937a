"""Settings and logs of a server."""

from __future__ import annotations

import json

import pytest
import structlog

from hebat.errors import InputRefused
from hebat.logs import configure
from hebat.settings import LogLevel, read_settings


def test_the_environment_sets_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings().port == 8460
    monkeypatch.setenv("HEBAT_PORT", "9000")
    assert read_settings().port == 9000


@pytest.mark.parametrize(
    ("name", "value"), [("HEBAT_PORT", "70000"), ("HEBAT_PORT", "http"), ("HEBAT_LOG_LEVEL", "loud")]
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InputRefused, match=name):
        read_settings()


def test_logs_are_json_lines_from_their_level_on(capsys: pytest.CaptureFixture[str]) -> None:
    configure(LogLevel.WARNING)
    log = structlog.get_logger("test")
    log.info("unseen")
    log.warning("batch refused", size=3)
    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["event"] == "batch refused"
    structlog.reset_defaults()
