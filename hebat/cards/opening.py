"""What card commands open: the whole city for this process alone, with only errors in its log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hebat.folder import Folder

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from hebat.wiring import City


def city_of(stack: ExitStack, data: Path) -> City:
    """The city, for this process alone; raises DatabaseBusy where a server has it."""
    from hebat.configurations import configuration_of  # noqa: PLC0415  the ledger loads only where it is needed
    from hebat.wiring import City  # noqa: PLC0415
    from keys.clock import SystemClock  # noqa: PLC0415

    quiet()
    folder = Folder(data)
    return stack.enter_context(City(folder, configuration_of(folder), SystemClock()))


def quiet() -> None:
    """Only errors are logged: whoever holds a card reads sentences."""
    from hebat.logs import configure  # noqa: PLC0415  as above
    from hebat.settings import LogLevel  # noqa: PLC0415

    configure(LogLevel.ERROR)
