"""No secret lies in the tree: private keys, passwords in addresses, and strings that look drawn at random are looked for in every file."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Final

import pytest

from tests.test_tidy import ROOT, files

PUBLIC: Final = {
    "tests/vectors/card.json": "NXP AN12343, AN12196, AN10922; RFC 4493: published with their keys",
    "tests/vectors/merkle.json": "digests of a tree that RFC 9162's own examples begin",
    "tests/keys/test_keys_cardmacs.py": "RFC 4493's key and messages",
    "tests/keys/test_keys_diversify.py": "AN10922's examples",
    "tests/keys/test_keys_shamir.py": "a counted secret and its published shares",
    "tests/keys/test_keys_tr31.py": "a key counted up in nibbles, in blocks of X9.143",
    "tests/secrecy/planted.py": "a secret planted for the watch to find",
    "tests/secrecy/test_secrecy.py": "secrets planted for the watch to find",
    "tests/cardholder/test_sealing.py": "what a counted key seals under a counted vector, in each form",
    "tests/settlement/test_staff_seal.py": "the same of the seal of authenticators",
    "tests/card/test_card_clients.py": "an NDEF message of libfreefare",
    "tests/fuzz/of_card.py": "a chip's version, as NXP's application notes print it",
    "tests/browser/test_cardholder_pages.py": "RFC 8032's keys and signatures",
    "tests/ledger/test_qris.py": "published QRIS codes",
    "tests/ledger/test_qris_presented.py": "published codes of EMVCo",
    "card/originality.py": "NXP's public keys of originality signatures",
    "docs/decisions/0012-terminal-identities.md": "a certificate's serial number",
    "docs/ledger.md": "the head of a demo's chain",
    "docs/proofs.md": "the root of a demo's tree, and its public key",
    "docs/qris.md": "a published QRIS code",
    "ledger/books/api.py": "an example in the description: the digest of a word",
    "ledger/cardholder/static/verify.js": "the order of Curve25519's group",
    "settlement/console/static/README.md": "the digest of a vendored file",
}
"""Files that hold strings which look secret and are not, each with why; a file that holds none any more goes from here."""
PRIVATE_KEY: Final = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{16}")
IN_ADDRESS: Final = re.compile(r"://[\w.-]+:(?![*{<.$])[^\s/:@{}'\"]+@")
OTHERS: Final = re.compile(
    r"\b(AKIA[0-9A-Z]{16}|ghp_\w{36}|glpat-[\w-]{20}|xox[abp]-[\w-]{10,}|eyJ[\w-]{10,}\.eyJ[\w-]{10,})"
)
"""Tokens of well-known services, and JSON Web Tokens."""
HEX: Final = re.compile(r"(?<![0-9A-Fa-f])[0-9A-Fa-f]{32,}(?![0-9A-Fa-f])")
TEXT: Final = re.compile(r"(?<![A-Za-z0-9+/_=-])(?=\S*\d)(?=\S*[a-z])(?=\S*[A-Z])[A-Za-z0-9+/_-]{32,}={0,2}")
COUNTED: Final = re.compile(r"(?:([0-9A-Fa-f])\1)+")
"""A key for tests as everybody writes one: 00112233..."""
BITS_A_HEX_DIGIT: Final = 3.0
BITS_A_CHARACTER: Final = 4.2
SIZE_MAX: Final = 2_000_000


def entropy(text: str) -> float:
    """Bits a character, by how often each comes."""
    return -sum(n / len(text) * math.log2(n / len(text)) for n in Counter(text).values())


def random_looking(text: str) -> list[str]:
    """Strings as keys and tokens are written, that repeat themselves too little for words."""
    return [
        *(
            one
            for one in HEX.findall(text)
            if not COUNTED.fullmatch(one) and entropy(one.lower()) > BITS_A_HEX_DIGIT
        ),
        *(one for one in TEXT.findall(text) if entropy(one) > BITS_A_CHARACTER),
    ]


def secrets_in(text: str) -> list[str]:
    """Everything in a text that should not be anywhere."""
    return [
        found.group(0) for kind in (PRIVATE_KEY, IN_ADDRESS, OTHERS) for found in kind.finditer(text)
    ] + random_looking(text)


def texts() -> dict[str, str]:
    """The files of the tree that are text."""
    found = {}
    for path in files():
        octets = path.read_bytes() if path.stat().st_size <= SIZE_MAX else b"\0"
        if b"\0" not in octets and path.name != "test_secrets_in_tree.py":
            found[str(path.relative_to(ROOT))] = octets.decode(errors="replace")
    return found


def test_no_file_holds_a_secret_but_public_ones_that_are_named() -> None:
    found = {name: secrets_in(text) for name, text in texts().items()}
    held = {name: [one[:12] for one in secrets] for name, secrets in found.items() if secrets}
    assert {name: some for name, some in held.items() if name not in PUBLIC} == {}
    assert set(PUBLIC) - set(held) == set(), "these hold none any more: take them out of the list"


@pytest.mark.parametrize(
    "planted",
    [
        "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY",
        "postgresql://hebat:7hWq-9s@db/city",
        "key = '9f31b0c7d24e5a6802f1c9d3be47a650'",
        "token: Zk3p9QvLx7RtY2mNb8WcS5dFg1HjK4aE",
        "AKIAABCDEFGHIJKLMNOP",
    ],
)
def test_what_is_looked_for_is_found(planted: str) -> None:
    assert secrets_in(f"a line\n{planted}\n")


@pytest.mark.parametrize(
    "plain", ["00000000000000000000000000000000", "postgresql+psycopg2://hebat@/city", "test_a_name_that_is_long_and_says_what_it_does_1A"]
)  # fmt: skip
def test_what_is_plain_is_left_alone(plain: str) -> None:
    assert secrets_in(plain) == []
