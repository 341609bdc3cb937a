"""`hebat reference`: every command with its options, and every setting, told by the code itself, so that it is never behind it."""

from __future__ import annotations

import ast
import inspect
import re
from typing import TYPE_CHECKING, Any, Final

import typer

from hebat import settings
from hebat.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRETS: Final = {
    "HEBAT_PASSPHRASE_FILE": "A file with the vault's passphrase, which its user alone can read.",
    "HEBAT_TOKEN_PIN_FILE": "The same for the PIN of a PKCS#11 token.",
    "HEBAT_TOKEN_PIN": "That PIN itself, where no file is named.",
}
"""What names a secret is read by `hebat.vaults`, and is no setting."""
_SPACE: Final = re.compile(r"\s+")
_PLAIN: Final = str.maketrans({"|": "\\|", "<": "&lt;"})


def reference(ctx: typer.Context) -> None:
    """Print the reference of commands and settings, as Markdown."""
    typer.echo("\n".join(lines(ctx.find_root().command)))


def lines(tree: Any) -> Iterator[str]:
    """The page, line by line."""
    yield "# Reference"
    yield "\n## Commands\n"
    yield "Each takes `--help`. Exit codes: 0 done, 1 a law or a proof does not hold, 2 yours to mend, 3 damage found, 4 in use, 5 done with something to look at."
    for path, command in commands(tree):
        yield f"\n### `hebat {path}`\n"
        yield _told(command.help)
        rows = [_row(one) for one in command.params if one.name != "help"]
        if rows:
            yield from ("\n| option | what | without it |", "|---|---|---|", *rows)
    yield "\n## Settings\n"
    yield from ("| variable | what | without it |", "|---|---|---|", *_settings())


def commands(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every command that does something, with its words."""
    for name, command in tree.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        else:
            yield f"{path}{name}", command


def _row(option: Any) -> str:
    names = " ".join(f"`{one}`" for one in (*option.opts, *option.secondary_opts))
    name = names if option.param_type_name == "option" else f"`{option.name.upper()}`"
    default = option.default
    if option.required:
        without = "asked for" if getattr(option, "prompt", None) else "required"
    else:
        plain = default is None or callable(default) or default in ("", (), [])
        without = "" if plain else f"`{getattr(default, 'value', default)}`"
    return f"| {name} | {_told(getattr(option, 'help', None))} | {without} |"


def _settings() -> Iterator[str]:
    told = _docstrings()
    for name, field in Settings.model_fields.items():
        default = getattr(field.default, "value", field.default)
        yield f"| `HEBAT_{name.upper()}` | {told.get(name, '')} | {f'`{default}`' if default != '' else ''} |"
    for name, what in SECRETS.items():
        yield f"| `{name}` | {what} | asked for at the terminal |"


def _docstrings() -> dict[str, str]:
    """What stands below each setting in the source."""
    (found,) = (
        node
        for node in ast.parse(inspect.getsource(settings)).body
        if isinstance(node, ast.ClassDef) and node.name == Settings.__name__
    )
    return {
        one.target.id: _told(next_.value.value)
        for one, next_ in zip(found.body, found.body[1:], strict=False)
        if isinstance(one, ast.AnnAssign)
        and isinstance(one.target, ast.Name)
        and isinstance(next_, ast.Expr)
        and isinstance(next_.value, ast.Constant)
    }


def _told(text: object) -> str:
    return _SPACE.sub(" ", str(text or "")).strip().translate(_PLAIN)
