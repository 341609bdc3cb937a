"""The figures that the page on security tells are those that the code goes by, and the algorithms that it lists are all that the code uses."""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import Any, Final

import pytest

from card.batch import BATCH_BYTES_MAX, RECORDS_MAX
from hebat import wire
from keys import backup, cmac, device, partner, softkey
from ledger.cardholder import pins, tries, views
from ledger.cardholder import web as holders_web
from ledger.clients.register import CLIENTS_MAX
from ledger.http import api, cursors, front
from ledger.intake.api import BATCHES_MAX
from ledger.orders.desk import WAITING_MAX
from ledger.relay.api import LOADS_MAX
from ledger.wallets import api as wallets_api
from ledger.wallets import bulk
from settlement.breaks import kept
from settlement.console import calls, payment_pages
from settlement.payments import pain002
from settlement.staff import lockout, office, passwords, seal, sessions
from settlement.statements import model
from settlement.statements.mapped import rows
from tests.test_security_page import PAGE
from tests.test_tidy import ROOT

MIB: Final = 1 << 20
MINUTE: Final = 60_000
PACKAGES: Final = ("card", "hebat", "keys", "ledger", "settlement", "terminals")


def section(name: str) -> str:
    """A section of the page, without the others."""
    found = PAGE.partition(f"## {name}\n")[2].partition("\n## ")[0]
    assert found
    return found


def cells(name: str) -> dict[str, str]:
    """The first table of a section: by the first cell, the rest of the line."""
    return dict(re.findall(r"^\| ([^|]+) \| (.+) \|$", section(name), re.MULTILINE))


LIMITS: Final = {
    "connections; a request's head; silence": (
        f"{wire.CONNECTIONS_MAX:,}; {wire.HEAD_BYTES_MAX >> 10} KiB; {wire.HEAD_SECONDS_MAX:.0f} s"
    ),
    "calls under way; batches; loads; a partner's wallet calls": (
        f"{front.CALLS_MAX:,}; {BATCHES_MAX}; {LOADS_MAX}; {wallets_api.CALLS_MAX}"
    ),
    "orders that wait for a commit": f"{WAITING_MAX:,}",
    "a batch (`application/cose`); an order (JSON); a form": (
        f"{BATCH_BYTES_MAX // MIB} MiB and {RECORDS_MAX:,} records; {api.ORDER_BYTES_MAX >> 10} KiB; "
        f"{holders_web.FORM_BYTES_MAX >> 10} KiB for holders, {calls.FORM_BYTES_MAX >> 10} KiB for staff"
    ),
    "a body's arrival; an answer that nobody takes": (
        f"{api.BODY_SECONDS_MAX:.0f} s; {wire.WRITE_SECONDS_MAX:.0f} s"
    ),
    "a bank's statement (MT940, camt.053, camt.054, CSV, XLSX); unfolded XLSX": (
        f"{model.FILE_BYTES_MAX // MIB} MB and {model.LINES_MAX:,} lines; {rows.XLSX_BYTES_MAX // 1_000_000} MB"
    ),
    "a payment report (pain.002)": (
        f"{pain002.REPORT_BYTES_MAX // MIB} MiB in the inbox, {payment_pages.REPORT_BYTES_MAX // MIB} MiB at the console"
    ),
    "evidence to a break (any kind; given back as a download, never shown)": (
        f"{kept.FILE_BYTES_MAX // MIB} MiB, {kept.FILES_MAX} files"
    ),
    "a government's bulk file (CSV)": f"{bulk.FILE_BYTES_MAX // MIB} MiB, {bulk.LINES_MAX:,} lines",
    "a file of somebody at the console who may not bring one, or nobody knows": (
        f"{calls.FORM_BYTES_MAX >> 10} KiB, as any form"
    ),
    "a page of a list": f"{cursors.PAGE_MAX} rows",
    "staff; partners": f"{office.STAFF_MAX:,}; {CLIENTS_MAX:,}",
}
GUESSING: Final = {
    "a staff account": (
        f"{lockout.FREE['account']} | {lockout.WAIT_MS // 1000} s, doubled each time up to {lockout.WAIT_MS_MAX // MINUTE} minutes, forgotten after a day"
    ),
    "an address at the console (in IPv6 its network of 64 bits), whatever names": f"{lockout.FREE['address']} | the same",
    "a card's PIN (six digits)": (
        f"{pins.FREE_TRIES}, whoever tries | {pins.REST_MS // MINUTE} minutes up to a day; after {pins.TRIES_MAX} in all the card's PIN rests until a new one is printed"
    ),
    "an address at holders' pages": (
        f"{tries.FAILURES_MAX} wrong tokens or PINs in {tries.WINDOW_MS // MINUTE} minutes, of all cards together | refused for the rest of them"
    ),
}
SAID: Final = (
    f"A password has {passwords.LENGTH_MIN} to {passwords.LENGTH_MAX} characters, at least {passwords.DIFFERENT_MIN} of them different",
    f"A session ends after {sessions.IDLE_MS // MINUTE} minutes unused and after {sessions.WHOLE_MS // (60 * MINUTE)} hours in any case",
    f"A holder's view ends after {views.VIEW_MS // MINUTE} minutes.",
)


@pytest.mark.parametrize("what", LIMITS)
def test_a_limit_on_the_page_is_the_limit_of_the_code(what: str) -> None:
    assert cells("Limits")[what].partition(" | ")[0] == LIMITS[what]


def test_each_limit_on_the_page_is_held_against_the_code() -> None:
    assert cells("Limits").keys() - {"what", "---"} == LIMITS.keys()


@pytest.mark.parametrize("what", GUESSING)
def test_how_often_somebody_may_guess_is_what_the_code_lets_them(what: str) -> None:
    assert cells("Guessing, and sessions")[what] == GUESSING[what]


def test_what_is_said_of_passwords_and_sessions_is_what_the_code_goes_by() -> None:
    told = section("Guessing, and sessions")
    assert [said for said in SAID if said not in told] == []
    assert sessions.FRESH_MS == 10 * MINUTE, "more than ten minutes after signing in"
    assert [word for word in passwords._KNOWN if f"*{word}*" not in told] == []


ALGORITHMS: Final = {
    "AES": "AES-128", "CBC": "CBC", "ECB": "one block", "CMAC": "CMAC", "AESGCM": "AES-256-GCM", "keywrap": "RFC 3394",
    "TripleDES": "DES", "SECP224R1": "P-224", "SHA224": "P-224", "ECDSA": "P-224",
    "Ed25519PrivateKey": "Ed25519", "Ed25519PublicKey": "Ed25519", "X25519PrivateKey": "X25519", "X25519PublicKey": "X25519", "HKDF": "HKDF",
    "Scrypt": "scrypt", "rsa": "RSA", "padding": "RSA", "SHA256": "SHA-256", "sha256": "SHA-256", "sha512": "SHA-512", "blake2b": "BLAKE2b", "scrypt": "scrypt",
}  # fmt: skip
"""What the code takes from `cryptography` and `hashlib`, and the word that the page has for it."""
NO_ALGORITHM: Final = {
    "x509", "hashes", "serialization", "Cipher", "Encoding", "PublicFormat", "NameOID", "Prehashed", "Buffer", "EllipticCurvePublicKey", "encode_dss_signature",
    "load_pem_public_key", "InvalidSignature", "InvalidTag", "UnsupportedAlgorithm", "file_digest", "RSAPrivateKey", "RSAPublicKey", "generate_private_key",
}  # fmt: skip
DICE: Final = {"shake_256": "hebat/simulate/entropy.py"}
"""What a simulation draws its dice with protects nothing."""
LEGACY: Final = {"TripleDES": {"card/ev1.py", "keys/diversify_older.py"}, "SECP224R1": {"card/originality.py"}, "ECB": {"card/ev2.py", "keys/diversify.py", "ledger/proofs/leaves.py"}}  # fmt: skip


@cache
def used() -> dict[str, set[str]]:
    """Every name that the packages take from `cryptography`, `hashlib` and the module `hashes`, with the files that do."""
    found: dict[str, set[str]] = {}
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for name in _taken(node):
                found.setdefault(name, set()).add(str(path.relative_to(ROOT)))
    return found


def _taken(node: Any) -> list[str]:
    if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in {"cryptography", "hashlib"}:  # fmt: skip
        return [alias.name for alias in node.names]
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in {"hashlib", "hashes"}:  # fmt: skip
        return [node.attr]
    return []


def test_every_algorithm_of_the_code_is_one_that_the_page_lists() -> None:
    taken, told = used(), section("Cryptography")
    assert len(taken) > 25
    assert taken.keys() - ALGORITHMS.keys() - NO_ALGORITHM - DICE.keys() == set()
    assert {name: word for name, word in ALGORITHMS.items() if name in taken and word not in told} == {}
    assert {name for name, where in DICE.items() if taken[name] != {where}} == set()


def test_what_we_choose_has_128_bits_and_more() -> None:
    """NIST SP 800-57 part 1, table 2: RSA of 3,072 bits, curves and hashes of 256, symmetric keys of 128."""
    assert partner.RSA_BITS >= 3072
    sizes = (
        cmac.BLOCK,
        len(softkey.random_key()),
        backup._KEY_BYTES,
        seal.KEY_BYTES,
        sessions.TOKEN_BYTES,
        device.SECRET_BYTES,
    )
    assert all(size >= 16 for size in sizes)
    taken = used()
    assert taken.keys() & {"SECP192R1", "SECT163K1", "SECT233K1", "Ed448PrivateKey", "DSA", "dsa"} == set()
    assert {name for name in taken if name.startswith(("SECP", "SECT", "Brainpool"))} == {"SECP224R1"}, (
        "a chip's maker's"
    )
    assert {name for name in taken if re.fullmatch(r"(SHA|sha)\d+", name)} == {
        "SHA224",
        "SHA256",
        "sha256",
        "sha512",
    }
    assert taken["SHA224"] == {"card/originality.py"}


def test_what_is_weak_stands_where_a_chip_asks_for_it_and_nowhere_else() -> None:
    """SHA-1 is pyotp's alone (RFC 6238), MD5 is nowhere."""
    taken = used()
    assert {name: taken[name] for name in LEGACY} == LEGACY
    assert taken.keys() & {"md5", "sha1", "MD5", "SHA1", "ARC4", "Blowfish", "CAST5", "IDEA", "SEED"} == set()
