"""What the browser tests share: Debian's Chromium, one a module, and where pictures are kept."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

PICTURES: Final = Path(__file__).parents[2] / "docs" / "img"
FLAGS: Final = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]
expect.set_options(timeout=60_000)  # milliseconds: a page that is slow on a busy machine is no fault


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium without a window; it asks nothing of any network by itself."""
    chromium = shutil.which("chromium")
    assert chromium is not None
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield made
        made.close()
