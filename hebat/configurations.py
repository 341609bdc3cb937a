"""Which configuration a data folder was founded with; kept in the folder by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hebat.day.town import CONFIGURATION as DAY
from hebat.demo.town import CONFIGURATION as DEMO
from hebat.errors import InputRefused

if TYPE_CHECKING:
    from hebat.folder import Folder
    from hebat.wiring import Configuration

_BY_NAME = {"demo": DEMO, "day": DAY}


def need_known(name: str) -> None:
    """Raises InputRefused for a configuration that this version does not know."""
    if name not in _BY_NAME:
        raise InputRefused(f"{name!r} is no configuration: choose one of {', '.join(_BY_NAME)}")


def configuration_of(folder: Folder) -> Configuration:
    """The configuration of a founded city; raises InputRefused where the folder holds none."""
    if not folder.configuration.exists():
        raise InputRefused(f"{folder.root} holds no city: make one with `hebat demo --keep {folder.root}`")
    name = folder.configuration.read_text(encoding="utf-8").strip()
    if name not in _BY_NAME:
        raise InputRefused(
            f"{folder.root} was founded as {name!r}, which this version does not know: update it"
        )
    return _BY_NAME[name]
