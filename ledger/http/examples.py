"""Examples in the API's description: every body shows one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict

if TYPE_CHECKING:
    from collections.abc import Mapping


def shown(example: Mapping[str, Any]) -> ConfigDict:
    """The configuration of an answer's model, with its example."""
    return ConfigDict(json_schema_extra={"examples": [dict(example)]})


def asked(example: Mapping[str, Any]) -> ConfigDict:
    """The configuration of a request's model, with its example; members that are not described are refused."""
    return ConfigDict(extra="forbid", json_schema_extra={"examples": [dict(example)]})
