"""The pages as people see them: Debian's Chromium draws them, and the picture is looked at."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.cardholder.town import Town

if TYPE_CHECKING:
    from pathlib import Path

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--virtual-time-budget=3000",
)  # fmt: skip


def draw(address: str, out: Path, *, width: int, height: int) -> tuple[bytes, str]:
    """A page's picture (PNG) and its text as the browser has it after loading."""
    browser = shutil.which("chromium")
    assert browser is not None
    common = [browser, *FLAGS, f"--user-data-dir={out / 'profile'}", f"--window-size={width},{height}"]
    subprocess.run(
        [*common, f"--screenshot={out / 'page.png'}", address], check=True, capture_output=True, timeout=90
    )
    dom = subprocess.run(
        [*common, "--dump-dom", address], check=True, capture_output=True, timeout=90, text=True
    )
    shutil.rmtree(out / "profile")  # a browser remembers the addresses that it was given, page tokens and all
    return (out / "page.png").read_bytes(), dom.stdout


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height from the picture's header (PNG, IHDR)."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def test_a_cardholder_sees_a_band_on_a_small_phone_before_the_pin(tmp_path: Path) -> None:
    with Town.open(tmp_path / "city") as town:
        rider = town.card(loaded=87_500)
        png, dom = draw(f"{town.server.address}/c/{rider.token}?l=id", tmp_path, width=500, height=900)
    assert size_of(png) == (500, 900)
    assert len(png) > 15_000
    shown = f"{rider.chip_balance:,}".replace(",", ".")
    assert "Saldo TapCash" in dom
    assert f"Rp{shown}" not in dom
    assert "<script" not in dom
