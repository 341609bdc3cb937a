"""Whatever is sent to whatever the description names: an answer that is described, and never a mistake of the server's own.

Parameters and bodies are made from the description itself, well and badly; so a route that is added is tried without a word here.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hebat.application import application
from hebat.folder import Folder
from hebat.serving import LoopbackServer
from tests.ledger.desk import open_scene
from tests.ledger.tokens import staff

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]
Sent = tuple[str, str, list[tuple[str, str | int | float | bool | None]], dict[str, str], bytes]
METHODS = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]
TEXT = st.text(max_size=30) | st.sampled_from(
    ["", "0", "-1", "9" * 30, "null", "%00", "../..", "é", "1e9", "2026-13-45"]
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text(max_size=8), part, max_size=3),
    max_leaves=5,
)


def texts(schema: Schema) -> st.SearchStrategy[str]:
    """Text that a schema describes."""
    if "pattern" in schema:
        return st.from_regex(schema["pattern"], fullmatch=True).map(str) | st.just("9360000900000012")
    if schema.get("format") == "date":
        return st.dates().map(str)
    return st.text(st.characters(codec="ascii", categories=("L", "N")), max_size=schema.get("maxLength", 20))


class Asked:
    """The description of a server, the server, and requests made from it."""

    def __init__(self, client: httpx2.Client) -> None:
        self.client = client
        self.description: dict[str, Any] = client.get("/openapi.json").json()
        self.operations = [
            (path, method.upper(), operation)
            for path, methods in self.description["paths"].items()
            for method, operation in methods.items()
        ]

    def plain(self, schema: Schema) -> Schema:
        """A schema without references at its top."""
        if "$ref" in schema:
            found: Schema = self.description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            return found
        options = [one for one in schema.get("anyOf", []) if one.get("type") != "null"]
        return self.plain(options[0]) if options else schema

    def good(self, schema: Schema) -> st.SearchStrategy[Any]:
        """Values that a schema describes."""
        plain = self.plain(schema)
        if "enum" in plain:
            return st.sampled_from(plain["enum"])
        if plain.get("type") == "object":
            required = plain.get("required", [])
            return st.fixed_dictionaries({name: self.good(plain["properties"][name]) for name in required})
        if plain.get("type") == "integer":
            low = int(plain.get("minimum", 0))
            return st.integers(low, min(plain.get("maximum", 1 << 62), 1 << 62)) | st.integers(low, low + 5)
        return st.booleans() if plain.get("type") == "boolean" else texts(plain)

    def some(self, schema: Schema) -> st.SearchStrategy[str]:
        """Text for a parameter, well or badly chosen."""
        return (
            self.good(schema).map(lambda value: str(value).lower() if isinstance(value, bool) else str(value))
            | TEXT
        )

    def requests(self, at: int) -> st.SearchStrategy[Sent]:
        """Requests to one operation: its method mostly, parameters left out, repeated or wrong, any body."""
        path, method, operation = self.operations[at]
        parameters = operation.get("parameters", [])
        by_place = {
            where: [one for one in parameters if one["in"] == where] for where in ("path", "query", "header")
        }
        return st.tuples(
            st.just(method) | st.just(method) | st.sampled_from(METHODS),
            self.paths(path, by_place["path"]),
            st.lists(st.sampled_from(by_place["query"]).flatmap(lambda one: st.tuples(st.just(one["name"]), self.some(one["schema"]))), max_size=4)
            if by_place["query"]
            else st.just([]),
            self.headers(operation),
            self.bodies(operation),
        )  # fmt: skip

    def paths(self, path: str, parameters: list[Schema]) -> st.SearchStrategy[str]:
        chosen = st.fixed_dictionaries({one["name"]: self.some(one["schema"]) for one in parameters})
        return chosen.map(
            lambda values: path.format(**{name: quote(value, safe="") for name, value in values.items()})
        )

    def headers(self, operation: Schema) -> st.SearchStrategy[dict[str, str]]:
        kinds = [*operation.get("requestBody", {}).get("content", {"application/json": {}}), "text/plain", ""]
        printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=70)
        key = st.uuids().map(str) | printable
        return st.fixed_dictionaries(
            {"Content-Type": st.sampled_from(kinds)},
            optional={"Idempotency-Key": key, "If-None-Match": printable, "Accept": printable},
        )

    def bodies(self, operation: Schema) -> st.SearchStrategy[bytes]:
        content = operation.get("requestBody", {}).get("content", {})
        anything = st.binary(max_size=200) | JSON_VALUES.map(lambda value: json.dumps(value).encode())
        if "application/json" not in content:
            return anything
        schema = content["application/json"]["schema"]
        good = self.good(schema).map(lambda value: json.dumps(value).encode())
        changed = st.tuples(
            self.good(schema), st.sampled_from([*self.plain(schema)["properties"], "more"]), JSON_VALUES
        )
        return good | anything | changed.map(lambda it: json.dumps({**it[0], it[1]: it[2]}).encode())

    def send(self, sent: Sent) -> httpx2.Response:
        method, path, query, headers, body = sent
        return self.client.request(
            method,
            path,
            params=httpx2.QueryParams(list(query)),
            headers=headers,
            content=body if method != "GET" else b"",
        )

    def expect_described(self, at: int, sent: Sent, answer: httpx2.Response) -> None:
        """The answer is one that the description has, or one that HTTP has for another method or address."""
        path, method, operation = self.operations[at]
        told = (sent, answer.status_code, answer.text[:300])
        assert answer.status_code < 500, told
        if answer.status_code >= 400 and sent[0] != "HEAD":
            assert answer.headers["content-type"] == "application/problem+json", told
            assert answer.json()["status"] == answer.status_code
        if sent[0] == method and answer.status_code not in {404, 405}:
            assert str(answer.status_code) in operation["responses"], (path, told)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    scene = open_scene(Folder(tmp_path_factory.mktemp("bad") / "city"), fresh=True)
    with (
        scene.city,
        LoopbackServer(application(scene.city)) as server,
        httpx2.Client(base_url=server.address, timeout=60, headers=staff(scene.city)) as client,
    ):
        yield Asked(client)
        trial = client.get("/v1/trial-balance").json()
        assert trial["debits"] == trial["credits"]
        assert client.get("/ready").json()["status"] == "ready"


EXAMPLES = 5000 if os.environ.get("HEBAT_LONG") else 300


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_is_sent_gets_an_answer_that_is_described(asked: Asked, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(asked.operations) - 1))
    sent = data.draw(asked.requests(at))
    asked.expect_described(at, sent, asked.send(sent))


IN_PATHS = {"name": "x", "kind": "tariff", "business_date": "2026-11-18"}
"""What stands in an address where it is no number."""


def test_every_operation_without_its_token_is_refused_or_says_that_it_needs_none(asked: Asked) -> None:
    with httpx2.Client(base_url=asked.client.base_url, timeout=60) as nobody:
        for path, method, operation in asked.operations:
            address = re.sub(r"\{(\w+)\}", lambda found: IN_PATHS.get(found[1], "1"), path)
            answer = nobody.request(method, address)
            if operation.get("security") and {} not in operation["security"]:
                assert answer.status_code == 401, (path, answer.text)
                assert answer.headers["www-authenticate"] == "Bearer"
            else:
                assert answer.status_code != 401, path
