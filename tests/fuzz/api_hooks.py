"""What schemathesis must know to ask this server well: bodies that a terminal signed, and who is signed in at the pages. Loaded into its process (SCHEMATHESIS_HOOKS)."""

from __future__ import annotations

import itertools
import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import schemathesis
from hypothesis import strategies as st

from keys import envelope
from keys.device import TerminalIdentity
from tests.fuzz import mutate
from tests.fuzz.mutate import Change

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

COSE: Final = "application/cose"
TOLD: Final = "HEBAT_FUZZ_API"
"""Names a file: devices, what they sign for each address, cookies and form tokens of who is signed in."""
_NUMBERS: Final = st.integers(0, (1 << mutate.NUMBER_BITS) - 1)
_CHANGES: Final = st.lists(st.builds(Change, st.integers(0, 31), _NUMBERS, _NUMBERS), max_size=3)
_LEAVES: Final = ("/staff/sign-out", "/card/leave", "/card/erase", "/card/block")
"""Whoever asks for these is out afterwards: they get a session of their own."""
_turns: Final = itertools.count()


@cache
def told() -> dict[str, Any]:
    """What the server's process wrote for this one."""
    found: dict[str, Any] = json.loads(Path(os.environ[TOLD]).read_bytes())
    return found


@cache
def device(number: int) -> TerminalIdentity:
    """A terminal's key."""
    return TerminalIdentity(Path(told()["devices"][str(number)]))


def signed(path: str) -> SearchStrategy[bytes]:
    """Bodies for an address as a terminal signs them: right, or right but for some values."""
    content_type, payloads = told()["signed"][path]

    def made(number: str, payload: str, changes: list[Change]) -> bytes:
        try:
            body = mutate.of_cbor(bytes.fromhex(payload), changes) if changes else bytes.fromhex(payload)
        except (ValueError, TypeError, OverflowError):
            body = bytes.fromhex(payload)  # a value that has no encoding
        kid = int(number).to_bytes(4, "big")
        return envelope.seal(body, kid=kid, sign=device(int(number)).sign, content_type=content_type)

    return st.builds(made, st.sampled_from(sorted(told()["devices"])), st.sampled_from(payloads), _CHANGES)


@schemathesis.serializer(COSE)
def as_it_is(_context: object, value: object) -> bytes:
    """Bytes go as bytes."""
    return value if isinstance(value, bytes) else str(value).encode()


schemathesis.openapi.media_type(COSE, st.binary(max_size=200))


@schemathesis.hook
def before_generate_body(context: Any, strategy: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """Half of what goes to an address for terminals is signed by one."""
    path = context.operation.path
    if path not in told().get("signed", {}):
        return strategy
    return st.booleans().flatmap(lambda by_a_terminal: signed(path) if by_a_terminal else strategy)


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: dict[str, Any]) -> None:
    """Calls of pages come from somebody who is signed in, by turns, with the token of their forms."""
    people = told().get("people")
    if not people:
        return
    one = people[-1] if case.path in _LEAVES else people[next(_turns) % (len(people) - 1)]
    case.headers = {**(case.headers or {}), "Cookie": one["cookie"]}
    if isinstance(case.body, dict):
        case.body.update(one["form"])
