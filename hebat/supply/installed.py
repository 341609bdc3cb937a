"""The packages that an installation consists of: from this project through its requirements, as they are installed here."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from hebat.errors import InputRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from packaging.requirements import Requirement

PROJECT: Final = "kartu-semarang-hebat"
_ROOT: Final = Path(__file__).resolve().parents[2]
_VENDORED: Final = (("htmx.org", "2.0.11", "0BSD", "settlement/console/static/htmx.min.js"),)
"""Files of others that lie in this tree: npm package, version, licence, place."""


@dataclass(frozen=True, slots=True)
class Package:
    """A package that is installed, and the references of those that it needs. `sha256` is of a vendored file, "" for all else."""

    kind: str
    name: str
    version: str
    licence: str
    needs: tuple[str, ...] = ()
    sha256: str = ""

    @property
    def purl(self) -> str:
        """Its package URL (github.com/package-url/purl-spec)."""
        return f"pkg:{self.kind}/{self.name}@{self.version}"


def installed(extras: Sequence[str]) -> list[Package]:
    """This project first, then what it needs with these extras, by name; what is vendored comes last.

    Raises InputRefused where an extra, or a package that it needs, is not installed.
    """
    wanted, found = [(PROJECT, frozenset(extras))], dict[str, Package]()
    seen: set[tuple[str, frozenset[str]]] = set()
    while wanted:
        name, chosen = wanted.pop()
        if (name, chosen) in seen:
            continue
        seen.add((name, chosen))
        needs = _needs(name, chosen)
        before = found[name].needs if name in found else ()
        refs = tuple(sorted({*before, *(canonical(one.name) for one in needs)}))
        found[name] = Package("pypi", name, _distribution(name).version, _licence(name), refs)
        wanted += [(canonical(one.name), frozenset(one.extras)) for one in needs]
    first = found.pop(PROJECT)
    return [first, *(found[name] for name in sorted(found)), *_vendored()]


def canonical(name: str) -> str:
    """A name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _distribution(name: str) -> metadata.Distribution:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        raise InputRefused(f"{name} is not installed here: install it, or leave its extra out") from None


def _needs(name: str, extras: frozenset[str]) -> list[Requirement]:
    from packaging.requirements import Requirement  # noqa: PLC0415  of the extra `audit`: no server needs it

    found = _distribution(name)
    offered = {canonical(one) for one in found.metadata.get_all("Provides-Extra") or ()}
    if name == PROJECT and not extras <= offered:
        raise InputRefused(f"there is no extra {min(extras - offered)!r}: {', '.join(sorted(offered))}")
    needs = [Requirement(text) for text in found.requires or ()]
    return [
        one
        for one in needs
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras | {""})
    ]


def _licence(name: str) -> str:
    """The SPDX expression that a package says, or the first line of what it says otherwise; "" where it says nothing."""
    said = _distribution(name).metadata
    told = [*(said.get_all("License-Expression") or ()), *(said.get_all("License") or ()), ""]
    text = told[0]
    classified = [
        line.rpartition(" :: ")[2]
        for line in said.get_all("Classifier") or ()
        if line.startswith("License ::")
    ]
    first = text.strip().splitlines()[0] if text.strip() else ""
    return first if first and len(first) <= 80 else (classified[0] if classified else "")  # noqa: PLR2004  a name, not the text


def _vendored() -> list[Package]:
    return [
        Package(
            "npm", name, version, licence, sha256=hashlib.sha256((_ROOT / place).read_bytes()).hexdigest()
        )
        for name, version, licence, place in _VENDORED
    ]
