"""`hebat sbom` and `hebat audit`: what is installed here, and what is known against it."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib import import_module
from pathlib import Path  # noqa: TC003  Typer reads it
from typing import Annotated, Final

import typer

from hebat.errors import TO_LOOK_AT, InputRefused

_EXTRAS: Final = "server"
ExtrasOption = Annotated[str, typer.Option("--extras", help="The extras that are in use, by commas.")]


def sbom(
    to: Annotated[
        Path | None, typer.Option("--to", help="Write it into this file; without it, it is printed.")
    ] = None,
    extras: ExtrasOption = _EXTRAS,
) -> None:
    """Print the bill of materials of this installation: each package with version, licence and what needs it (CycloneDX 1.6, JSON)."""
    _need_extra()
    from hebat.supply.bill import bill  # noqa: PLC0415  loads only where it is needed
    from hebat.supply.installed import installed  # noqa: PLC0415  as above

    text = json.dumps(bill(installed(_named(extras))), indent=1)
    if to is None:
        typer.echo(text)
        return
    to.write_text(text + "\n", encoding="utf-8")
    typer.echo(f"{to} has {text.count('bom-ref')} components")


def audit(
    advisories: Annotated[
        Path,
        typer.Argument(
            help="A folder of advisories: a copy of pypa/advisory-database, or of osv.dev's export."
        ),
    ],
    extras: ExtrasOption = _EXTRAS,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")] = False,
) -> None:
    """Hold the installed packages against known weaknesses, without a network. Ends with 3 where one is named."""
    _need_extra()
    from hebat.supply.advisories import audit as hold  # noqa: PLC0415  as above
    from hebat.supply.installed import installed  # noqa: PLC0415  as above

    packages = installed(_named(extras))
    found = hold(packages, advisories)
    if as_json:
        typer.echo(json.dumps({"packages": len(packages), **asdict(found)}, indent=1))
    else:
        typer.echo(
            f"{len(packages)} packages against {found.advisories} advisories, the newest of {found.newest[:10]}"
        )
        for one in found.findings:
            mended = f"mended in {', '.join(one.fixed)}" if one.fixed else "nothing mends it yet"
            typer.echo(
                f"{one.package.name} {one.package.version}: {one.advisory} {' '.join(one.aliases)}; {mended}"
            )
        if not found.findings:
            typer.echo("none is named")
    if found.findings:
        raise typer.Exit(TO_LOOK_AT)


def _need_extra() -> None:
    try:
        for module in ("packaging", "yaml"):
            import_module(module)
    except ImportError:
        raise InputRefused(
            "this needs the extra audit: install kartu-semarang-hebat[server,audit] (docs/operations.md)"
        ) from None


def _named(extras: str) -> list[str]:
    return [one.strip() for one in extras.split(",") if one.strip()]
