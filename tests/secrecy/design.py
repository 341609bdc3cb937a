"""Secrets that are meant to be where they are: each with its reason."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import Final

CARRIERS: Final = {
    "city.passphrase": "a demo keeps its passphrase beside its vault; a real city never does",
    "*.pin": "a token's PIN lies in the file that its server's setting names",
    "staff.key": "it seals the authenticators of staff, and lies beside the database that they are sealed in",
    "*.secret": "a device's secret lies in a file of its own, outside the terminal's folder",
}
"""Files that are there to hold a secret in the clear."""
SHOWN: Final = {
    ("*", "page token", "file report.json"): "a demo's report names the balance page of one of its own cards",
    ("*", "page token", "file ran.json"): "the same, as the system tests keep what that demo said",
    (
        "*",
        "vault key",
        "file debug.log",
    ): "a test of the laws leaks a key into it on purpose, to be found out",
    ("*", "card key", "file chip"): "a saved virtual card is the chip itself, with its keys",
    ("*", "card key", "file *.card"): "the same, as `hebat card simulate --save` keeps it",
    (
        "tests/*",
        "page token",
        "*output",
    ): "the address of a card's balance page is printed once, for its holder",
    **{
        ("tests/*", kind, "*output"): "the demo tells once how its own staff sign in"
        for kind in ("staff password", "recovery code", "authenticator secret")
    },
    (
        "tests/*",
        "enrolment code",
        "*output",
    ): "an invitation's code is printed once, for whoever sets the terminal up",
}
"""By test, kind and channel (as patterns): what is shown to the one person who may see it."""


def carrier(name: str) -> bool:
    """True for a file that is there to hold a secret."""
    return any(fnmatch(name, pattern) for pattern in CARRIERS)


def by_design(test: str, kind: str, channel: str) -> bool:
    """True where a secret of this kind is meant to come out here."""
    return any(
        fnmatch(test, tests) and fnmatch(kind, kinds) and fnmatch(channel, channels)
        for tests, kinds, channels in SHOWN
    )
