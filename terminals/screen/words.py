"""The screen's words in the city's languages: one gettext catalogue each, in `terminals/locales`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Final

from babel.messages.pofile import PoFileError, read_po

from terminals.errors import TerminalError, WordsMissing

LANGUAGES: Final = ("id", "jv", "en", "zh")
"""Indonesian first, then Javanese, English and Chinese."""


def sentence(language: str, error: TerminalError) -> str:
    """What a person is told of an error of theirs, in a language; raises WordsMissing."""
    return words(language)[error.word].format(**error.values)


@cache
def words(language: str) -> dict[str, str]:
    """All words of a language by key; raises WordsMissing."""
    if language not in LANGUAGES:
        raise WordsMissing(f"there is no language {language[:10]!r}: take one of {', '.join(LANGUAGES)}")
    try:
        with files("terminals").joinpath(f"locales/{language}.po").open("rb") as file:
            catalogue = read_po(file, locale=language, abort_invalid=True)
    except (OSError, PoFileError, ValueError) as error:
        raise WordsMissing(
            f"the words of {language!r} cannot be read ({error}): install the package again"
        ) from None
    return {str(message.id): str(message.string) for message in catalogue if message.id}
