"""Known weaknesses of packages: advisories in the OSV form (ossf.github.io/osv-schema), read from files, matched by version.

Python's own collection is the public repository pypa/advisory-database (YAML, one file an advisory); osv.dev gives the same and more as JSON.
A folder of either is enough, so that an installation without a network can be audited too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from hebat.errors import InputRefused
from hebat.supply.installed import canonical
from keys.quoting import cut

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from packaging.version import Version

    from hebat.supply.installed import Package

FILES_MAX: Final = 500_000
OCTETS_MAX: Final = 4 << 20
"""What one advisory may take."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A package that an advisory names in the version that is installed. `fixed`: versions that mend it, oldest first."""

    package: Package
    advisory: str
    aliases: tuple[str, ...]
    fixed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Audit:
    """How many advisories were read, when the newest of them was changed (RFC 3339), and what they say."""

    advisories: int
    newest: str
    findings: tuple[Finding, ...]


def audit(packages: Sequence[Package], folder: Path) -> Audit:
    """Hold packages against every advisory below a folder; raises InputRefused where there is none, or one does not read."""
    by_name = {canonical(one.name): one for one in packages if one.kind == "pypi"}
    count, newest, findings = 0, "", list[Finding]()
    for path in _files(folder):
        told = _read(path)
        count, newest = count + 1, max(newest, str(told.get("modified", "")))
        if not told.get("withdrawn"):
            findings += _found(path, told, by_name)
    if not count:
        raise InputRefused(
            f"{folder} holds no advisories: name a copy of pypa/advisory-database, or of osv.dev's export"
        )
    return Audit(count, newest, tuple(findings))


def _files(folder: Path) -> Iterator[Path]:
    found = sorted(path for path in folder.rglob("*") if path.suffix in {".json", ".yaml"} and path.is_file())
    if len(found) > FILES_MAX:
        raise InputRefused(f"{folder} holds more than {FILES_MAX} files: name the advisories' own folder")
    return (path for path in found if path.stem.count("-"))


def _found(path: Path, told: dict[str, Any], by_name: dict[str, Package]) -> list[Finding]:
    try:
        return list(_findings(told, by_name))
    except (AttributeError, LookupError, TypeError, ValueError, RuntimeError):
        raise InputRefused(
            f"{path.name} does not read as an advisory: what it affects is not told as OSV tells it; fetch it again"
        ) from None


def _read(path: Path) -> dict[str, Any]:
    if path.stat().st_size > OCTETS_MAX:
        raise InputRefused(f"{path.name} has more than {OCTETS_MAX >> 20} MB: no advisory does")
    try:
        text = path.read_text(encoding="utf-8")
        told = json.loads(text) if path.suffix == ".json" else _yaml(text)
    except (ValueError, RecursionError) as error:
        raise InputRefused(f"{path.name} does not read as an advisory: {cut(repr(str(error)))}") from None
    if not isinstance(told, dict) or "id" not in told:
        raise InputRefused(f"{path.name} does not read as an advisory: it has no id")
    return told


def _yaml(text: str) -> Any:
    import yaml  # noqa: PLC0415  of the extra `audit`: no server needs it

    try:
        return yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  both are the safe loader
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def _findings(told: dict[str, Any], by_name: dict[str, Package]) -> Iterator[Finding]:
    for affected in told.get("affected", ()):
        named = affected.get("package", {})
        package = by_name.get(canonical(str(named.get("name", ""))))
        if package is None or named.get("ecosystem") != "PyPI" or not _hit(package.version, affected):
            continue
        events = [event for span in affected.get("ranges", ()) for event in span.get("events", ())]
        fixed = tuple(str(event["fixed"]) for event in events if "fixed" in event)
        yield Finding(package, str(told["id"]), tuple(map(str, told.get("aliases", ()))), fixed)


def _hit(version: str, affected: dict[str, Any]) -> bool:
    """Whether a version is listed, or lies in a span (OSV schema, "Evaluation")."""
    from packaging.version import Version  # noqa: PLC0415  as above

    if version in map(str, affected.get("versions", ())):
        return True
    spans = [one for one in affected.get("ranges", ()) if one.get("type") == "ECOSYSTEM"]
    return any(_within(Version(version), span["events"]) for span in spans)


def _within(version: Version, events: Sequence[dict[str, str]]) -> bool:
    from packaging.version import Version as Read  # noqa: PLC0415  as above

    inside = False
    for event in events:
        kind, value = next(iter(event.items()))
        at = Read("0") if str(value) == "0" else Read(str(value))
        if kind == "introduced" and version >= at:
            inside = True
        elif (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at):
            inside = False
    return inside
