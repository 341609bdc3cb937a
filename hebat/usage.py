"""What a command says of options and words that it cannot use: what happened and what to do, in the words that every other error has."""

from __future__ import annotations

import re
from typing import Final

from pydantic import ValidationError
from typer._click.exceptions import (
    BadParameter,
    ClickException,
    MissingParameter,
    NoArgsIsHelpError,
    NoSuchOption,
    UsageError,
)

from keys.quoting import QUOTED_MAX, cut

__all__ = ["ClickException", "NoArgsIsHelpError", "told"]

_WANTED: Final = {
    "int_parsing": "a whole number is wanted",
    "int_from_float": "a whole number is wanted",
    "float_parsing": "a number is wanted",
    "bool_parsing": "yes or no is wanted",
    "greater_than_equal": "{ge} or more is wanted",
    "greater_than": "more than {gt} is wanted",
    "less_than_equal": "{le} or less is wanted",
    "less_than": "less than {lt} is wanted",
    "enum": "one of {expected} is wanted",
    "literal_error": "one of {expected} is wanted",
}
"""What Pydantic's kinds of refusal ask for."""
_SAID: Final = (
    (r"No such command '(.*)'\. Did you mean '(.*)'\?", "there is no command {0} (is {1} meant?)"),
    (r"No such command '(.*)'\.(?: Did you mean .*)?", "there is no command {0}"),
    (r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)", "{0} is more than it takes"),
    (r"Option '(.*)' requires (?:an argument|\d+ arguments)\.", "{0} needs a value behind it"),
    (r"Missing command\.", "a command is missing"),
)
"""What Typer says without a class of its own, and what is said here instead."""


def told(error: ClickException) -> str:
    """The sentence for what Typer refused: the command, the option, what was given, and what to give or where it is told."""
    where = (
        f"`{error.ctx.command_path} --help`"
        if isinstance(error, UsageError) and error.ctx
        else "`hebat --help`"
    )
    match error:
        case NoSuchOption():
            meant = f" (is {' or '.join(sorted(error.possibilities))} meant?)" if error.possibilities else ""
            return f"there is no option {cut(error.option_name, QUOTED_MAX)}{meant}; {where} lists those there are"
        case MissingParameter():
            return f"{_name(error)} is missing; {where} says what it is"
        case BadParameter():
            return f"{_name(error)} {_refused(error)}; {where} says more"
        case _:
            return f"{_in_our_words(error.format_message())}; {where} lists what there is"


def _name(error: BadParameter) -> str:
    """An option as it is typed, an argument as the help calls it."""
    if error.param is None:
        return "a value"
    first = error.param.opts[0]
    return first if first.startswith("-") else first.upper()


def _refused(error: BadParameter) -> str:
    cause = error.__cause__
    if not isinstance(cause, ValidationError):
        return f"cannot be used: {_sentence(error.message)}"
    first = cause.errors()[0]
    given = f"is {cut(str(first['input']), QUOTED_MAX)}"
    formats = getattr(getattr(error.param, "_parameter_info", None), "formats", None) or ()
    if first["type"] in _WANTED:
        return f"{given}: {_WANTED[first['type']].format(**first.get('ctx', {}))}"
    if formats or "%Y" in error.message:
        return f"{given}: a day such as 2026-11-18 is wanted"
    if choices := re.search(r"is not one of (.*)", error.message):
        return f"{given}: one of {choices[1].rstrip('.')} is wanted"
    return f"{given}: {_sentence(first['msg'])}"


def _in_our_words(said: str) -> str:
    """What Typer says in text alone; a sentence that is not known stays as it is."""
    for pattern, ours in _SAID:
        if found := re.fullmatch(pattern, said, re.DOTALL):
            return ours.format(*(cut(one, QUOTED_MAX) for one in found.groups()))
    return _sentence(said)


def _sentence(said: str) -> str:
    """A library's sentence within ours: it begins small and ends without a stop."""
    short = cut(said.removeprefix("Value error, ")).rstrip(".")
    return short[:1].lower() + short[1:]
