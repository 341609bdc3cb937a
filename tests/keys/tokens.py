"""A real PKCS#11 token for tests: SoftHSM2, with its objects in a folder of the run's own."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

import pytest

MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
)
"""Where distributions put it."""
PIN = "86420975"
TOKENS = 64
"""SoftHSM2 shows tokens that were made before a process asked the first time: so all of a run's are made at once."""


def module() -> str | None:
    """SoftHSM2's PKCS#11 module, where there is one."""
    return next((one for one in MODULES if Path(one).exists()), None)


class SoftTokens:
    """A folder of tokens; SoftHSM2 reads its place from the environment once a process."""

    def __init__(self, folder: Path) -> None:
        found = module()
        assert found is not None, "SoftHSM2 is missing: install the Debian package softhsm2"
        self.module = found
        self.folder = folder / "tokens"
        self.folder.mkdir()
        place = folder / "softhsm2.conf"
        place.write_text(
            f"directories.tokendir = {self.folder}\nobjectstore.backend = file\nlog.level = ERROR\n",
            encoding="utf-8",
        )
        os.environ["SOFTHSM2_CONF"] = str(place)
        self._labels = iter([f"city-{number}" for number in range(TOKENS)])
        for number in range(TOKENS):
            self._make(f"city-{number}")

    @staticmethod
    def _make(label: str) -> None:
        made = ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", PIN]
        subprocess.run(made, check=True, capture_output=True)

    def new(self) -> str:
        """The label of a token that nobody has used."""
        return next(self._labels)


def shared_tokens(factory: pytest.TempPathFactory) -> SoftTokens:
    """This run's tokens: one folder for all tests, for a process loads SoftHSM2 once."""
    if module() is None:
        pytest.skip("it needs the Debian package softhsm2 (keys in a PKCS#11 token)")
    pytest.importorskip("pkcs11", reason="it needs the extra hsm (keys in a PKCS#11 token)")
    return _made_in(factory.getbasetemp() / "softhsm")


@cache
def _made_in(folder: Path) -> SoftTokens:
    folder.mkdir()
    return SoftTokens(folder)
