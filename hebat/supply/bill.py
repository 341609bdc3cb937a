"""A software bill of materials: CycloneDX 1.6 as JSON (ECMA-424; cyclonedx.org/docs/1.6/json)."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hebat.supply.installed import Package

_SPEC: Final = "1.6"
_SPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "https://cyclonedx.org/kartu-semarang-hebat")


def bill(packages: Sequence[Package]) -> dict[str, Any]:
    """The document; packages as `installed` gives them, this project first. The same packages give the same document."""
    project, *others = packages
    refs = {one.name: one.purl for one in packages}
    serial = uuid.uuid5(_SPACE, "\n".join(one.purl for one in packages))
    return {
        "bomFormat": "CycloneDX",
        "specVersion": _SPEC,
        "serialNumber": serial.urn,
        "version": 1,
        "metadata": {"component": {**_component(project), "type": "application"}},
        "components": [_component(one) for one in others],
        "dependencies": [
            {"ref": one.purl, "dependsOn": [refs[name] for name in one.needs]} for one in packages
        ],
    }


def _component(one: Package) -> dict[str, Any]:
    said: dict[str, Any] = {
        "type": "library",
        "bom-ref": one.purl,
        "name": one.name,
        "version": one.version,
        "purl": one.purl,
    }
    if one.licence:
        said["licenses"] = [{"license": {"name": one.licence}}]
    if one.sha256:
        said["hashes"] = [{"alg": "SHA-256", "content": one.sha256}]
    return said
