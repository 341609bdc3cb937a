"""One city for each module of tests: every test has cards of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cardholder.town import Town

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    with Town.open(tmp_path_factory.mktemp("cardholders") / "city") as opened:
        yield opened


@pytest.fixture(autouse=True)
def unheard_no_more(request: pytest.FixtureRequest) -> None:
    """All tests call from one address: what another one guessed wrong does not count against this one."""
    if "town" in request.fixturenames:
        found: Town = request.getfixturevalue("town")
        found.city.cardholders.failures.forget()
