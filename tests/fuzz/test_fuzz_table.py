"""No decoder is left out: whatever function takes bytes or text apart is reached by the table's inputs, or says here why it need not be."""

from __future__ import annotations

import ast
import contextlib
import re
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from settlement.statements import schemas
from tests.fuzz.table import DECODERS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("card", "hebat", "keys", "ledger", "settlement", "terminals")
TAKES_APART: Final = re.compile(
    r"(cbor\.(decoded|tagged)|cbor2\.loads|json\.loads|tomllib\.loads|csv\.(reader|DictReader)|zipfile\.ZipFile|openpyxl\.load_workbook|etree\.(iterparse|fromstring|parse)"
    r"|x509\.load_pem\w+|load_pem_\w+|serialization\.load_pem\w+|read_parquet|pl\.read_parquet|zlib\.decompress|model_validate_json|[A-Z_]+\.unpack(_from)?|b64decode|base64\.\w*decode)"
)
"""Calls that take apart what may have come from elsewhere."""
NAMED_SO: Final = re.compile(r"(decode|parse|parsed|opened|unseal|read)(_[a-z_]+)?")
BYTES: Final = {"bytes", "str"}

_ALIKE: Final = "it hands on to what is fuzzed"
_OURS: Final = "it reads what this system wrote into its own database or package"
_OWNER: Final = "it reads what the same person's own process or key wrote: sealed, or over a socket that asks who is there"
EXCEPTIONS: Final[dict[str, str]] = {
    "card/channel.py:Channel.opened_answer": "a Protocol: no code",
    "hebat/bank_commands/simulated.py:BankFolder.books": "a simulated bank's own file",
    "hebat/bundles/commands.py:_said": "it shows a body that the terminals' decoder has taken",
    "hebat/cardholding.py:SignedCodes.read": _ALIKE,
    "hebat/keyroom/records.py:_under_way": _OWNER,
    "hebat/night_commands/door.py:_answers": _OWNER,
    "hebat/night_commands/door.py:_wanted": _OWNER,
    "keys/backup.py:restore": _OWNER,
    "keys/tokencopies.py:TokenCopies.wrapped": _OWNER,
    "keys/partner.py:_loaded": _OWNER,
    "keys/pkcs11token.py:newest": _OWNER,
    "keys/ticket.py:fingerprint": _ALIKE,
    "ledger/bulk/copies.py:_Heard.take": "it reads the answers of the ledger's own PostgreSQL; tests/ledger/crash/test_crash_wire.py cuts them anywhere",
    "ledger/cardholder/disputes.py:_partition": _OURS,
    "ledger/cardholder/holders.py:Holders.kept": _OURS,
    "ledger/cardholder/ways.py:ScreenCodes.read": "a Protocol: no code",
    "ledger/exports/trying.py:main": "it runs in a process of its own, which the decoder of Parquet asks",
    "ledger/http/front.py:_note_problem": "it reads a problem that this server is about to answer",
    "ledger/intake/columnar/posting.py:fare_of": "it reads bytes that the kernel has taken",
    "ledger/intake/outcomes.py:Outcomes.read": _OURS,
    "ledger/orders/refund_check.py:_pairs": _OURS,
    "ledger/vaults/handout.py:HandoutDesk.hand_out": "schemathesis and tests/ledger/test_handout.py: it needs a registry",
    "settlement/console/book_pages.py:BookPages.keep": "a form of a person who is signed in; tests/settlement/test_console_book.py sends it what is no page",
    "settlement/matching/desk.py:MatchingDesk.put_rules": _OURS,
    "settlement/night/model.py:ThreeWay.of_body": _OURS,
    "settlement/partner_bank/telling.py:Teller.__init__": "a simulated bank's own key",
    "settlement/payments/pain001.py:blocks_of": _OURS,
    "settlement/payments/rails.py:shipped_terms": _OURS,
    "settlement/rulebook/model.py:Page.told": _OURS,
    "settlement/saving/links.py:Links._open": _OWNER,
    "settlement/statements/camt.py:_line_found": "changed inputs reach it: what a schema refuses is no seed",
    "settlement/statements/reading.py:read": _ALIKE,
    "settlement/statements/store.py:_file": _OURS,
    "terminals/fares/words.py:_texts": _OURS,
}


def functions(path: Path) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Functions of a file by their qualified names."""

    def below(node: ast.AST, prefix: str) -> Iterator[tuple[str, ast.FunctionDef]]:
        for one in ast.iter_child_nodes(node):
            if isinstance(one, ast.ClassDef):
                yield from below(one, f"{prefix}{one.name}.")
            elif isinstance(one, ast.FunctionDef):
                yield f"{prefix}{one.name}", one
                yield from below(one, f"{prefix}{one.name}.<locals>.")

    yield from below(ast.parse(path.read_text(encoding="utf-8")), "")


def decodes(function: ast.FunctionDef) -> bool:
    """Whether a function takes bytes or text apart, by what it calls or by its name."""
    calls = (ast.unparse(node.func) for node in ast.walk(function) if isinstance(node, ast.Call))
    if any(TAKES_APART.fullmatch(call) for call in calls):
        return True
    given = [one for one in function.args.args if one.arg not in {"self", "cls"}][:1]
    typed = any(one.annotation is not None and ast.unparse(one.annotation) in BYTES for one in given)
    return typed and NAMED_SO.fullmatch(function.name) is not None


def decoders() -> set[str]:
    """Every function that takes bytes or text apart, as file:name."""
    found = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            place = path.relative_to(ROOT).as_posix()
            found |= {f"{place}:{name}" for name, function in functions(path) if decodes(function)}
    return found


@pytest.fixture(scope="module")
def reached() -> set[str]:
    """The functions that the table's inputs reach, as file:name."""
    seen: set[Any] = set()

    def note(frame: FrameType, event: str, _what: object) -> None:
        if event == "call":
            seen.add(frame.f_code)

    schemas._loaded.cache_clear()
    seeds = [(one, list(one.seeds())) for one in DECODERS]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.setprofile(note)
        try:
            for decoder, inputs in seeds:
                for data in inputs:
                    with contextlib.suppress(Exception):
                        decoder.decode(data)
        finally:
            sys.setprofile(None)
    return {
        f"{Path(code.co_filename).relative_to(ROOT).as_posix()}:{code.co_qualname}"
        for code in seen
        if code.co_filename.startswith(f"{ROOT}/")
    }


def test_every_function_that_takes_bytes_apart_is_fuzzed_or_says_why_not(reached: set[str]) -> None:
    assert sorted(decoders() - reached - EXCEPTIONS.keys()) == []


def test_no_exception_is_of_something_that_is_fuzzed_or_gone(reached: set[str]) -> None:
    assert sorted(EXCEPTIONS.keys() - (decoders() - reached)) == []


def test_names_and_their_folders_are_each_decoders_own() -> None:
    assert len({one.name for one in DECODERS}) == len(DECODERS)
