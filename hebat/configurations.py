"""Who takes part in a city, and which tariffs it was founded with: the demo's town, the day's, or a city's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hebat.day.town import CONFIGURATION as DAY
from hebat.demo.town import CONFIGURATION as DEMO
from hebat.errors import InputRefused
from hebat.folder import no_city
from hebat.wiring import Configuration
from ledger.store import Database
from settlement.rulebook.book import Rulebook
from settlement.rulebook.model import RuleKind
from settlement.rulebook.parties import entries_of, participants_of

if TYPE_CHECKING:
    from hebat.folder import Folder

OWN: Final = "own"
"""A city whose parties are pages of its rulebook, and whose tariffs are bundles."""
_BY_NAME: Final = {"demo": DEMO, "day": DAY}


def need_known(name: str) -> None:
    """Raises InputRefused for a configuration that this version does not know."""
    if name not in _BY_NAME:
        raise InputRefused(f"{name!r} is no configuration: choose one of {', '.join(_BY_NAME)}")


def configured(folder: Folder) -> str:
    """The name of what a city was founded with; raises InputRefused where the folder holds none."""
    if not folder.configuration.exists():
        raise no_city(folder.root)
    name = folder.configuration.read_text(encoding="utf-8").strip()
    if name not in {OWN, *_BY_NAME}:
        raise InputRefused(
            f"{folder.root} was founded as {name!r}, which this version does not know: update it"
        )
    return name


def configuration_of(folder: Folder) -> Configuration:
    """The configuration of a founded city, as of now; raises InputRefused where the folder holds none."""
    name = configured(folder)
    return _own(folder) if name == OWN else _BY_NAME[name]


def configuration_now(folder: Folder, database: Database) -> Configuration:
    """The same by way of a database that is open already."""
    name = configured(folder)
    return _kept(database) if name == OWN else _BY_NAME[name]


def _own(folder: Folder) -> Configuration:
    database = Database(folder.database_url)
    try:
        database.check()
        return _kept(database)
    finally:
        database.close()


def _kept(database: Database) -> Configuration:
    pages = Rulebook(database).current(RuleKind.PARTICIPANT)
    return Configuration(participants_of(entries_of(pages)), ())
