"""The API's description (OpenAPI 3.1), completed: problems, tokens, schemas of bodies that routes read themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ledger.clients.scopes import Scope
from ledger.problems import BAD_REQUEST, CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import BaseModel

_VALIDATION: Final = {"HTTPValidationError", "ValidationError"}
SUMMARY: Final = "Signed batches of terminals, wallets of partners, and what the books say."
_PROBLEM: Final = {
    "type": "object",
    "description": "An RFC 9457 problem; `type` is an address that says what it means.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "result": {"type": "string", "description": "Why the books refuse an order."},
        "available": {"type": "integer", "description": "What the wallet could give, in sen."},
        "failing": {"type": "array", "items": {"type": "string"}},
    },
}
_TOKEN: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "A token that `hebat clients add` made; its scopes are " + ", ".join(sorted(Scope)) + ".",
}


def complete(schema: dict[str, Any], bodies: Iterable[type[BaseModel]]) -> dict[str, Any]:
    """Add to the framework's description what it cannot know; the same object."""
    parts = schema.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for name in _VALIDATION:
        schemas.pop(name, None)
    schemas["Problem"] = _PROBLEM
    for model in bodies:
        made = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(made.pop("$defs", {}))
        schemas[model.__name__] = made
    parts["securitySchemes"] = {"token": _TOKEN}
    for path in schema.get("paths", {}).values():
        for operation in path.values():
            _mend(operation)
    return schema


def _mend(operation: dict[str, Any]) -> None:
    """Where the framework promises its own error for wrong parameters, a problem is what is sent."""
    for answer in operation["responses"].values():
        content = answer.get("content", {})
        if any(name in str(content.get("application/json", "")) for name in _VALIDATION):
            example = BAD_REQUEST.problem("path.name: it is too long").as_json()
            answer["description"] = BAD_REQUEST.meaning
            answer["content"] = {
                CONTENT_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {BAD_REQUEST.name: {"value": example}},
                }
            }
