"""Corridors and stops of BRT Trans Semarang, as shipped: facts of the city's network (their source stands in the data file)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files

from terminals.errors import PlacesMissing


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop by the city's own id."""

    stop_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Corridor:
    """A corridor in one direction, with some of its stops in order."""

    name: str
    origin: str
    toward: str
    stops: tuple[Stop, ...]


def corridors() -> tuple[Corridor, ...]:
    """The shipped corridors; raises PlacesMissing where the data file is not the one that was shipped."""
    try:
        data = json.loads(files("terminals").joinpath("data/trans-semarang.json").read_text(encoding="utf-8"))
        return tuple(
            Corridor(
                one["name"],
                one["origin"],
                one["toward"],
                tuple(Stop(stop["id"], stop["name"]) for stop in one["stops"]),
            )
            for one in data["corridors"]
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PlacesMissing(
            f"the shipped corridors cannot be read ({error}): install the package again"
        ) from None
