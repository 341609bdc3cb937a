"""Four languages, complete: no string is missing, fuzzy, unused or written into a template; amounts and dates are CLDR's."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING

import pytest
from babel.messages.pofile import read_po

from keys.clock import Day, UnixMs
from keys.money import Sen
from ledger import cardholder
from ledger.cardholder.words import LANGUAGES, chosen, words

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

ROOM = Path(cardholder.__file__).parent
COMPOSED = re.compile(r"^(kind|rule|rider|reason|state|field|wrong|purpose)-|-(title|text)$")
"""Keys that are put together when a page is made."""
BY_NAME = ("Kartu Semarang Hebat",)


def catalogue(language: str) -> Catalog:
    with files("ledger").joinpath(f"cardholder/locales/{language}.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def keys(language: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for message in catalogue(language):
        if message.id:
            key = message.id if isinstance(message.id, str) else message.id[0]
            said = message.string
            found[key] = (said,) if isinstance(said, str) else tuple(said or ())
    return found


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_everything(language: str) -> None:
    first, found = keys("id"), keys(language)
    assert found.keys() == first.keys()
    for key, texts in found.items():
        assert all(text.strip() for text in texts), key
        assert {frozenset(fields(text)) for text in texts} == {frozenset(fields(first[key][0]))}, key
    assert not [message.id for message in catalogue(language) if message.id and message.fuzzy]
    assert catalogue(language).num_plurals == (2 if language == "en" else 1)


def test_every_string_that_a_page_asks_for_is_there_and_none_is_idle() -> None:
    sources = [*ROOM.glob("templates/*.html"), *ROOM.glob("*.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    asked = set(re.findall(r'\b[tn]\(\s*[\'"]([a-z0-9-]+)[\'"]', text))
    asked = {key for key in asked if not key.endswith("-")}
    asked |= set(re.findall(r'"(act-[a-z-]+)"', text))
    known = set(keys("id"))
    assert asked - known == set()
    assert {key for key in known - asked if not COMPOSED.search(key)} == set()


@pytest.mark.parametrize("path", sorted(ROOM.glob("templates/*.html")), ids=lambda path: path.name)
def test_no_template_has_words_of_its_own(path: Path) -> None:
    text = re.sub(r"{%.*?%}|{{.*?}}|{#.*?#}", " ", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    spoken = re.findall(r'(?:alt|aria-label|title|placeholder)="([^"]*)"', text)
    bare = re.sub(r"<[^>]*>|&[a-z]+;", " ", text)
    for name in BY_NAME:
        bare = bare.replace(name, " ")
    assert not re.findall(r"[^\W\d_]{2,}", bare)
    assert not [said for said in spoken if said.strip()]


@pytest.mark.parametrize(
    ("language", "whole", "sen", "less"),
    [
        ("id", "Rp3.500", "Rp10,50", "\u2212Rp3.500"),
        ("jv", "Rp\u00a03.500", "Rp\u00a010,50", "\u2212Rp\u00a03.500"),
        ("en", "Rp3,500", "Rp10.50", "\u2212Rp3,500"),
        ("zh", "Rp3,500", "Rp10.50", "\u2212Rp3,500"),
    ],
)
def test_amounts_are_written_as_each_language_writes_them(
    language: str, whole: str, sen: str, less: str
) -> None:
    said = words(language)
    assert said.money(Sen(350_000)) == whole
    assert said.money(Sen(1_050)) == sen
    assert said.change(Sen(-350_000)) == less


def test_dates_are_written_as_each_language_writes_them() -> None:
    at = UnixMs(1_795_014_300_000)
    assert [words(one).moment(at) for one in LANGUAGES] == [
        "18 Nov 2026, 22.05", "18 Nov 2026, 22:05", "18 Nov 2026, 22:05", "2026年11月18日, 22:05",
    ]  # fmt: skip
    assert words("zh").day(Day(20_775)) == "2026年11月18日"


@pytest.mark.parametrize(
    ("asked", "accepted", "language"),
    [
        ("jv", "en", "jv"), ("", "en-GB,en;q=0.9", "en"), ("", "fr, zh-CN;q=0.8, id;q=0.5", "zh"), ("", "", "id"),
        ("xx", "jv;q=0.2,en;q=0", "jv"), ("", "en;q=zero,*", "id"), ("", "de", "id"),
    ],
)  # fmt: skip
def test_the_address_chooses_the_language_then_the_browser(asked: str, accepted: str, language: str) -> None:
    assert chosen(asked, accepted) == language


def test_a_rule_is_told_in_words_with_the_riders_class() -> None:
    assert words("en").rule("concession:pupil") == "concession fare, pupil"
    assert (
        words("id").rule("full:student-rest-day")
        == "tarif penuh: konsesi mahasiswa libur pada hari Minggu dan hari libur"
    )
    assert words("en").rule("concession:elderly@AC") == "concession fare, senior (AC)"
    assert words("en").rule("degraded:position-unknown").startswith("the bus did not know")
    assert words("en").rule("a-rule-of-tomorrow") == "a-rule-of-tomorrow"


def test_every_rule_that_terminals_know_has_words_here() -> None:
    import json  # noqa: PLC0415

    known = json.loads(files("terminals").joinpath("data/fare-words.json").read_text(encoding="utf-8"))["en"]
    codes = [
        code.replace(":-", ":pupil-") if ":-" in code else f"{code}pupil" if code.endswith(":") else code
        for code in known
        if not code.startswith("rider:")
    ]
    codes += ["cash", "wallet"]  # how a load was paid
    for language in LANGUAGES:
        assert [code for code in codes if words(language).rule(code) == code] == []
