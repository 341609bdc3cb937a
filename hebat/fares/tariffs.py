"""A tariff from wherever it lies: a tariff file, or a GTFS feed (folder or zip) that is imported on the way."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Final

from hebat.errors import InputRefused
from terminals.errors import FeedWrong, TariffWrong
from terminals.fares import codec
from terminals.gtfs.importing import Naming, import_tariff

if TYPE_CHECKING:
    from pathlib import Path

    from terminals.fares import Tariff

TARIFF_BYTES_MAX: Final = 4 << 20
SUFFIX: Final = ".tariff"


def read_tariff(path: Path, naming: Naming | None = None) -> Tariff:
    """The tariff of a path; raises InputRefused, and FeedWrong with file, row and column."""
    if path.is_dir() or zipfile.is_zipfile(path):
        try:
            return import_tariff(path, naming)
        except FeedWrong as error:
            raise InputRefused(f"{path}: {error}") from None
    try:
        data = path.read_bytes() if path.stat().st_size <= TARIFF_BYTES_MAX else b""
        return codec.decode(data)
    except OSError as error:
        raise InputRefused(f"{path} cannot be read ({error.strerror})") from None
    except TariffWrong as error:
        raise InputRefused(f"{path} is neither a GTFS feed nor a tariff file: {error}") from None


def write_tariff(tariff: Tariff, path: Path) -> None:
    """A tariff file; a tariff is never written over another (raises InputRefused)."""
    try:
        with path.open("xb") as out:
            out.write(codec.encode(tariff))
    except FileExistsError:
        raise InputRefused(
            f"{path} is there already: a tariff never changes, give a new version --as another"
        ) from None
    except OSError as error:
        raise InputRefused(f"{path} cannot be written ({error.strerror})") from None
