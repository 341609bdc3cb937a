"""What the console shows of a window is the same once the window's business date lies in the archive."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.archive.taking import archive
from ledger.history.indexing import index
from settlement.view import view
from tests.settlement.at_desk import member, opened
from tests.settlement.town import DATE, DAY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.settlement.town import Stage


def test_items_and_figures_of_an_archived_window_are_shown_as_before(stage: Stage, tmp_path: Path) -> None:
    stage.night.run(DAY)
    night = view(stage.ledger.database, DAY)
    assert night is not None
    client = member(opened(stage, tmp_path), "auditor")
    paths = [f"/console/items/{item.reference}" for item in night.items]
    paths.append(f"/console/figures?date={DATE}")

    def shown() -> list[str]:
        return [client.get(path).text for path in paths]

    before = shown()
    assert all("Behind it in the journal" in page for page in before[:-1])
    index(stage.ledger.database)
    stage.ledger.snapshot()
    (one,) = archive(stage.ledger.database, DAY, tmp_path / "archive", stage.clock)
    assert one.span.rows > len(paths)
    assert shown() == before
