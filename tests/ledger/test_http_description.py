"""The API's description, walked: every route says what it takes, what it answers, and every problem it may answer with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from hebat.application import application
from hebat.folder import Folder
from ledger import errors, problems
from ledger.clients.scopes import Scope
from ledger.errors import LedgerError
from ledger.problems import CONTENT_TYPE, problem_of, problem_types, type_of
from tests.ledger.desk import open_scene

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
OPEN = {"/v1/batches", "/v1/loads", "/v1/loads/ordered", "/v1/loads/step", "/v1/loads/waiting", "/v1/locks", "/v1/refunds", "/v1/shifts", "/v1/terminals/enrolment", "/v1/terminals/renewal",
        "/v1/terminals/keys",
        "/v1/bundles", "/v1/bundles/{kind}", "/v1/chain", "/v1/checkpoints", "/v1/checkpoints/{business_date}", "/v1/checkpoints/{business_date}/consistency", "/health", "/ready", "/problems/{name}"}  # fmt: skip
"""Routes without a token: signed by the terminal, or open to all."""


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    scene = open_scene(Folder(tmp_path_factory.mktemp("described") / "city"), fresh=True)
    with scene.city:
        served = application(scene.city).application
        assert isinstance(served, FastAPI)
        yield served.openapi()


def operations(described: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (path, operation) for path, methods in described["paths"].items() for operation in methods.values()
    ]


def resolved(described: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema["$ref"].rpartition("/")[2]
    found: dict[str, Any] = described["components"]["schemas"][name]
    return found


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def test_it_is_openapi_3_1_and_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    assert described["openapi"].startswith("3.1")
    known = {f"#/components/schemas/{name}" for name in described["components"]["schemas"]}
    assert set(references(described)) <= known
    assert "HTTPValidationError" not in described["components"]["schemas"]


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does(described: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, operation in operations(described)]
    assert len(set(names)) == len(names) > 20
    assert [path for path, operation in operations(described) if not operation.get("description")] == []
    assert [path for path, operation in operations(described) if not operation.get("tags")] == []


def test_every_error_is_a_problem_with_an_example(described: dict[str, Any]) -> None:
    for path, operation in operations(described):
        failing = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert {"408", "429", "431", "500"} <= failing.keys(), path
        for status, answer in failing.items():
            content = answer["content"][CONTENT_TYPE]
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}, (path, status)
            for example in content["examples"].values():
                assert example["value"]["status"] == int(status), (path, status)


def test_every_body_has_an_example(described: dict[str, Any]) -> None:
    bare = []
    for path, operation in operations(described):
        bodies = [
            operation.get("requestBody", {}),
            *(operation["responses"].get(code, {}) for code in ("200", "201")),
        ]
        for body in bodies:
            schema = body.get("content", {}).get("application/json", {}).get("schema", {})
            if "$ref" in schema and not resolved(described, schema).get("examples"):
                bare.append(f"{path} {schema['$ref']}")
    assert bare == []


def models(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for below in kind.__subclasses__():
        yield below
        yield from models(below)


def test_every_example_is_what_its_model_takes() -> None:
    checked = 0
    for model in models(BaseModel):
        extra = model.model_config.get("json_schema_extra")
        if model.__module__.startswith("ledger.") and isinstance(extra, dict):
            examples = extra["examples"]
            assert isinstance(examples, list)
            for example in examples:
                model.model_validate(example)
                checked += 1
    assert checked > 10


FREE: Final = {("/v1/bundles/{kind}", "if-none-match"), ("/problems/{name}", "name")}
"""What HTTP itself bounds, and a name that is looked up in a list."""


def test_every_field_and_parameter_that_is_taken_says_what_it_may_be(described: dict[str, Any]) -> None:
    given = [
        (path, one["name"], one["schema"])
        for path, ways in operations(described)
        for one in ways.get("parameters", [])
    ]
    assert {(path, name) for path, name, schema in given if not is_bounded(schema, described)} == FREE
    bodies = [
        schema for _, ways in operations(described) for schema in references(ways.get("requestBody", {}))
    ]
    fields = [
        (name, field, schema)
        for name in {one.rpartition("/")[2] for one in bodies}
        for field, schema in described["components"]["schemas"][name]["properties"].items()
    ]
    assert len(fields) > 15
    assert [(name, field) for name, field, schema in fields if not is_bounded(schema, described)] == []


def is_bounded(schema: dict[str, Any], described: dict[str, Any]) -> bool:
    """True where a value's rules are in its schema: its choices, its pattern, or its least and most."""
    if "$ref" in schema:
        return is_bounded(described["components"]["schemas"][schema["$ref"].rpartition("/")[2]], described)
    if "anyOf" in schema:
        return all(is_bounded(one, described) for one in schema["anyOf"])
    if schema["type"] == "object":
        return all(is_bounded(one, described) for one in schema["properties"].values())
    if schema["type"] == "integer":
        return "minimum" in schema and bool(schema.keys() & {"maximum", "exclusiveMaximum"})
    return schema["type"] in {"boolean", "null"} or bool(
        schema.keys() & {"enum", "const", "pattern", "maxLength", "format"}
    )


def test_every_route_asks_for_a_token_or_says_that_it_does_not(described: dict[str, Any]) -> None:
    for path, operation in operations(described):
        asked = [name for need in operation.get("security", []) for name in need.get("token", [])]
        assert bool(asked) is (path not in OPEN), path
        assert set(asked) <= set(Scope)


def test_calls_that_move_money_ask_for_a_key(described: dict[str, Any]) -> None:
    for path in (
        "/v1/debits",
        "/v1/credits",
        "/v1/holds",
        "/v1/holds/{hold}/capture",
        "/v1/holds/{hold}/void",
    ):
        parameters = described["paths"][path]["post"]["parameters"]
        assert [one["required"] for one in parameters if one["name"] == "Idempotency-Key"] == [True]


# Problems


def ledger_errors(kind: type[LedgerError] = LedgerError) -> Iterator[type[LedgerError]]:
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield below
        yield from ledger_errors(below)


def test_every_error_of_the_ledger_has_a_problem_of_its_own_and_never_a_500() -> None:
    families = {errors.BatchRefused, errors.RequestRefused}
    commands = {errors.ExportRefused, errors.ExportDamaged}  # said by commands alone
    faults = {errors.UnitFailed}  # a mistake of this software: 500 is what it is
    for kind in set(ledger_errors()) - families - commands - faults:
        assert type_of(kind) is not problems.UNKNOWN, kind
        reasons = (errors.QrReason.CRC_MISMATCH,) if kind is errors.QrRefused else ()
        assert problem_of(kind(*reasons, "what happened")).detail == "what happened"


def test_every_problem_is_in_the_documentation_with_the_same_words() -> None:
    page = (ROOT / "docs" / "problems.md").read_text(encoding="utf-8")
    for kind in problem_types():
        assert f'<a id="{kind.name}"></a>`{kind.uri}` | {kind.status} | {kind.meaning} |' in page, kind.name
    assert page.count("<a id=") == len(problem_types())


def test_a_problems_address_never_changes() -> None:
    """Partners' programs compare these: an address that goes, or means something else, breaks them."""
    kept = {
        "account-unknown", "bad-request", "batch-conflict", "batch-out-of-order", "batch-too-large", "block-refused",
        "bundle-unknown", "client-unknown", "cursor-refused", "enrolment-refused", "head-too-large", "hold-exceeded",
        "hold-unknown", "idempotency-key-in-use", "idempotency-key-missing", "idempotency-key-reused", "insufficient-funds",
        "ledger-error", "ledger-not-available", "load-refused", "load-session-gone", "load-step-refused",
        "media-type-refused", "method-not-allowed", "proof-invalid", "proof-unknown", "not-a-batch", "not-a-request", "not-found", "not-ready",
        "order-invalid", "order-not-posted", "request-too-slow", "scope-missing", "signature-refused",
        "terminal-unknown", "token-refused", "too-many-units-waiting", "transfer-invalid", "window-closed",
        "window-not-begun",
    }  # fmt: skip
    assert kept <= {kind.name for kind in problem_types()}
