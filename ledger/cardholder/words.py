"""The page's words in the city's languages (gettext catalogues in `locales`), and amounts and dates as CLDR writes them in each."""

from __future__ import annotations

import gettext
import io
import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from babel import Locale
from babel.dates import format_date, format_skeleton, format_time
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from keys.clock import CITY, UnixMs, date_of, local

if TYPE_CHECKING:
    from datetime import date

    from keys.clock import Day
    from keys.money import Sen

LANGUAGES: Final = {"id": "Indonesia", "jv": "Jawa", "en": "English", "zh": "中文"}
"""Each by its own name; the first one is the city's."""
FIRST: Final = "id"
_LOCALES: Final = {"id": "id_ID", "jv": "jv_ID", "en": "en_GB", "zh": "zh_Hans_CN"}
_SCRIPTS: Final = {"id": "id", "jv": "jv", "en": "en", "zh": "zh-Hans"}
_RUPIAH: Final = "Rp"
"""The rupiah's narrow symbol (CLDR), in every language: it is what stands on money and price tags in this city."""
_SPACE: Final = "\u00a0"
_KEPT: Final = 20_000
_QUALITY: Final = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?", re.ASCII)


@cache
def catalogue(language: str) -> gettext.GNUTranslations:
    """A language's messages, by key."""
    with files("ledger").joinpath(f"cardholder/locales/{language}.po").open("rb") as file:
        read = read_po(file, locale=language, abort_invalid=True)
    compiled = io.BytesIO()
    write_mo(compiled, read)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def chosen(asked: str, accepted: str) -> str:
    """The language of an address (`?l=jv`), else the first of Accept-Language that we have (RFC 9110 section 12.5.4), else the city's."""
    if asked in LANGUAGES:
        return asked
    ranked = []
    for place, part in enumerate(accepted[:200].split(",")):
        tag, _, quality = part.strip().partition(";q=")
        ranked.append((-_quality(quality), place, tag.split("-")[0].strip().lower()))
    known = (tag for minus, _, tag in sorted(ranked) if tag in LANGUAGES and minus < 0)
    return next(known, FIRST)


def _quality(text: str) -> int:
    """A quality in thousandths (RFC 9110 section 12.4.2); what is none counts as not wanted."""
    told = text.strip() or "1"
    if not _QUALITY.fullmatch(told):
        return 0
    whole, _, rest = told.partition(".")
    return int(whole) * 1000 + int(rest.ljust(3, "0"))


@dataclass(frozen=True, slots=True)
class Words:
    """One language: what the templates call."""

    language: str

    @property
    def html(self) -> str:
        """The page's lang attribute."""
        return _SCRIPTS[self.language]

    def t(self, key: str, **values: object) -> str:
        """A message; a key without one is a fault, and shows itself in the tests."""
        said = _said(self.language, key)
        return said.format(**values) if values else said

    def n(self, key: str, count: int) -> str:
        """A message that depends on a number, by the language's plural rules."""
        return catalogue(self.language).ngettext(key, f"{key}-many", count).format(count=count)

    def has(self, key: str) -> bool:
        """True where there is such a message."""
        return _said(self.language, key) != key

    def money(self, sen: Sen) -> str:
        """An amount; without decimals where there are none."""
        return _money(sen, self.language)

    def change(self, sen: Sen) -> str:
        """An amount with its sign: what came in, what was paid."""
        return ("+" if sen > 0 else "\u2212" if sen < 0 else "") + _money(abs(sen), self.language)

    def moment(self, at: UnixMs) -> str:
        """A moment on the city's clock."""
        return _moment(at // 60_000, self.language)

    def brief(self, at: UnixMs, now: UnixMs) -> str:
        """The same without its year, where that is this one."""
        same_year = local(at).year == local(now).year
        return _brief(at // 60_000, self.language) if same_year else self.moment(at)

    def day(self, day: Day) -> str:
        """A date."""
        return _day(date_of(day), self.language)

    def month(self, first: Day) -> str:
        """A month's short name."""
        return _month(date_of(first), self.language)

    def clock(self, at: UnixMs) -> str:
        """A time of day on the city's clock."""
        return format_time(local(at), "short", tzinfo=CITY, locale=_LOCALES[self.language])

    def rules(self, codes: tuple[str, ...]) -> list[str]:
        """Which rules made a fare, in words; a code that no catalogue knows stands as it is."""
        return [self.rule(code) for code in codes]

    def rule(self, code: str) -> str:
        """One rule in words, as `_ruled` makes them."""
        return _ruled(self, code)

    def ruled(self, code: str) -> str:
        """One rule in words: "concession:pupil" has the rider's class in it, "full:pupil-expired" the reason too."""
        head, _, rest = code.partition(":")
        name, _, product = rest.partition("@")
        rider, _, why = name.partition("-")
        for key in (
            f"rule-{head}-{rest}",
            f"rule-{head}-{why}" if why else "",
            f"rule-{head}-rider" if rest else f"rule-{head}",
        ):
            if key and self.has(key):
                said = (
                    self.t(key, rider=self.t(f"rider-{rider}")) if self.has(f"rider-{rider}") else self.t(key)
                )
                return f"{said} ({product})" if product else said
        return code


@cache
def words(language: str) -> Words:
    """A language's words."""
    return Words(language)


@lru_cache(_KEPT)
def _said(language: str, key: str) -> str:
    return catalogue(language).gettext(key)


@lru_cache(_KEPT)
def _ruled(said: Words, code: str) -> str:
    return said.ruled(code)


@lru_cache(_KEPT)
def _money(sen: int, language: str) -> str:
    locale = Locale.parse(_LOCALES[language])
    pattern = "#,##0" if sen % 100 == 0 else "#,##0.00"
    number = format_decimal(Decimal(sen).scaleb(-2), format=pattern, locale=locale)
    spaced = _SPACE in locale.currency_formats["standard"].pattern
    sign, digits = ("\u2212", number[1:]) if sen < 0 else ("", number)
    return f"{sign}{_RUPIAH}{_SPACE if spaced else ''}{digits}"


@lru_cache(_KEPT)
def _moment(minute: int, language: str) -> str:
    at, locale = local(UnixMs(minute * 60_000)), _LOCALES[language]
    return f"{format_date(at, 'medium', locale)}, {format_time(at, 'short', tzinfo=CITY, locale=locale)}"


@lru_cache(_KEPT)
def _brief(minute: int, language: str) -> str:
    at, locale = local(UnixMs(minute * 60_000)), _LOCALES[language]
    return f"{format_skeleton('MMMd', at, tzinfo=CITY, locale=locale)}, {format_time(at, 'short', tzinfo=CITY, locale=locale)}"


@lru_cache(_KEPT)
def _day(day: date, language: str) -> str:
    return format_date(day, "long", _LOCALES[language])


@lru_cache(_KEPT)
def _month(first: date, language: str) -> str:
    return format_skeleton("MMM", first, locale=_LOCALES[language])
