"""What an error quotes of its input: a few words, however long that was."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from hebat.bundles import drafts
from hebat.errors import HebatError
from keys import quoting
from settlement.errors import SettlementError
from settlement.matching import rules
from settlement.participants import Bank
from settlement.payments import city, pain002
from settlement.payments.table import template_of
from settlement.rulebook.parties import Entry, PartyKind
from settlement.staff.roles import read_roles
from settlement.statements.mapped.mapping import mapping_of
from settlement.statements.reading import Reader
from terminals.errors import TerminalError
from terminals.gtfs.importing import import_tariff
from tests.fuzz import trial, world
from tests.terminals.feeds import V2

if TYPE_CHECKING:
    from collections.abc import Callable

LONG: Final = "x" * 20_000
TOLD_AT_LENGTH: Final[dict[str, Callable[[], object]]] = {
    "mapping": lambda: mapping_of("x", 1, {"header": LONG}),
    "mapping's field": lambda: mapping_of("x", 1, {LONG: 1}),
    "mapping's column": lambda: mapping_of("x", 1, {"header": ["a"], "columns": {LONG: 1}}),
    "mapping's labels": lambda: mapping_of("x", 1, {"header": ["a"], "columns": {}, "labels": {"a": [LONG]}}),
    "template": lambda: template_of({"columns": [LONG]}),
    "rail": lambda: city.rail_rows(dict.fromkeys(city._FIELDS, LONG)),
    "rule": lambda: rules.parse(json.dumps({"passes": [{LONG: 1}]})),
    "rule's way": lambda: rules.parse(json.dumps({"passes": [{"name": "x", "by": LONG, "confidence": 1}]})),
    "rule's name": lambda: rules.parse(json.dumps({"passes": [{"name": LONG, "by": "reference", "confidence": 1}]})),
    "rule's number": lambda: rules.parse(json.dumps({"passes": [], "suggest_from": [LONG]})),
    "role": lambda: read_roles(LONG),
    "party": lambda: Entry(PartyKind.CITY, {"name": LONG, "bank": 9, "account": LONG}),
    "party's field": lambda: Entry(PartyKind.CITY, {"name": "a", "bank": 9, "account": "1", LONG: 1}),
    "party's bank": lambda: Bank(16**5000, LONG, LONG, LONG),
    "report": lambda: pain002.read(f'<Document xmlns="{LONG}"/>'.encode()),
    "statement": lambda: Reader().read(f'<Document xmlns="{LONG}"/>'.encode()),
    "feed": lambda: _fed(f"{LONG},{LONG}\n"),
    "feed's value": lambda: _fed(f"network_id,network_name\n{'x' * 60},{'y' * 900}\n{'x' * 60},\n"),
    "draft": lambda: _drafted({LONG: 1, "holidays": []}),
    "draft's day": lambda: _drafted({"holidays": [LONG]}),
}  # fmt: skip


def _fed(networks: str) -> object:
    place = world.folder() / "long-feed"
    place.mkdir(exist_ok=True)
    for name, text in {**V2, "networks.txt": networks}.items():
        (place / name).write_text(text)
    return import_tariff(place)


def _drafted(told: dict[str, Any]) -> object:
    path = world.folder() / "long-calendar.json"
    path.write_text(json.dumps(told))
    return drafts.read_calendar(path)


@pytest.mark.parametrize("what", TOLD_AT_LENGTH)
def test_what_is_wrong_with_a_long_input_is_told_in_few_words(what: str) -> None:
    with pytest.raises((SettlementError, TerminalError, HebatError)) as refused:
        TOLD_AT_LENGTH[what]()
    assert 0 < len(str(refused.value)) <= trial.WORDS_MAX


def test_quoting_cuts_a_value_and_tells_a_number_that_is_too_long_to_be_written() -> None:
    assert quoting.quoted("abc") == "'abc'"
    assert len(quoting.quoted("x" * 1000)) == quoting.QUOTED_MAX
    assert quoting.quoted([1 << 20_000]) == "a value with too many digits"
    assert quoting.cut("x" * 1000, 10) == "x" * 9 + "…"
