"""Which rules fired, in words: Indonesian and English, from the data file fare-words.json. A code's part after ":" has words of its own."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from keys.money import display, sen_of
from terminals.errors import PlacesMissing

if TYPE_CHECKING:
    from terminals.fares.decision import Step

LANGUAGES: Final = ("id", "en")


@cache
def _texts() -> dict[str, dict[str, str]]:
    try:
        found: dict[str, dict[str, str]] = json.loads(
            files("terminals").joinpath("data/fare-words.json").read_text(encoding="utf-8")
        )
    except (OSError, ValueError) as error:
        raise PlacesMissing(
            f"the shipped words cannot be read ({error}): install the package again"
        ) from None
    return found


def words(step: Step, language: str = "id") -> str:
    """A step as a sentence with its amount, such as "Tarif pelajar (AC): Rp4.000"; a code without words stands as it is."""
    texts = _texts()[language]
    head, _, rest = step.code.partition(":")
    name, _, product = rest.partition("@")
    rider, _, why = name.partition("-")
    known = texts.get(step.code) or texts.get(f"{head}:-{why}" if why else f"{head}:" if rest else head)
    if known is None:
        return step.code
    said = known.format(rider=texts.get(f"rider:{rider}", rider))
    said += f" ({product})" if product else ""
    return f"{said}: {display(sen_of(step.amount))}" if step.amount else said
