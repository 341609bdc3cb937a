"""Settings and logs of a server."""

from __future__ import annotations

import json
import sys

import pytest
import structlog

from hebat.errors import InputRefused
from hebat.logs import configure
from hebat.settings import LogForm, LogLevel, read_settings


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


def test_logs_are_lines_for_people_at_a_terminal_and_json_there_when_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    for form in (LogForm.AUTO, LogForm.PEOPLE, LogForm.JSON):
        configure(LogLevel.INFO, form)
        structlog.get_logger("test").info("call", route="/console", status=200, problem="")
    *people, asked = capsys.readouterr().err.splitlines()
    assert [line.partition(" ")[2] for line in people] == ["info    call route=/console status=200"] * 2
    assert json.loads(asked)["event"] == "call"
    structlog.reset_defaults()


def test_what_others_sent_makes_no_line_of_the_log_and_moves_no_cursor(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure(LogLevel.INFO, LogForm.PEOPLE)
    log = structlog.get_logger("test")
    log.info("refused", name="a\n12:00:00 error all is lost\x1b[2J")
    try:
        int("\x1b[2Jgone")
    except ValueError:
        log.exception("fault")
    said = capsys.readouterr().err
    assert said.count("\n12:00:00") == 0
    assert "\x1b" not in said
    assert "ValueError" in said
    structlog.reset_defaults()
