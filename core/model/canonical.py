"""The canonical form of a command's request, by which a repetition is known; pure."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic_core import from_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from core.model.commands import Command

_RULE = "1"
"""The name of the rule below; hashes of different rules are never equal."""


def request_hash(model: type[Command], body: bytes) -> str:
    """Return a hash of a command's name and of its JSON as it was sent.

    The order of names and of the items of sets does not matter. Defaults are not filled in, so that
    a release which adds a field with one does not change the hash.

    Args:
        model: The command.
        body: JSON that is valid for it.
    """
    schema = _schema(model)
    content = _canonical(from_json(body), schema, schema.get("$defs", {}))
    text = json.dumps([model.stored_name, content], separators=(",", ":"), sort_keys=True)
    return f"{_RULE}:{sha256(text.encode()).hexdigest()}"


@cache
def _schema(model: type[Command]) -> dict[str, Any]:
    """Return the JSON schema of a command, in which sets are arrays with unique items."""
    try:
        return model.model_json_schema()
    except PydanticInvalidForJsonSchema:  # of a type that JSON schemas cannot describe
        return {}


def _canonical(value: Any, schema: Any, definitions: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Return a JSON value with the items of sets sorted."""
    schemas = list(_alternatives(schema, definitions))
    if isinstance(value, dict):
        return {
            name: _canonical(part, _part(schemas, name), definitions)
            for name, part in value.items()
        }
    if isinstance(value, list):
        array = next((one for one in schemas if "items" in one or "prefixItems" in one), {})
        firsts = array.get("prefixItems", ())
        items = [
            _canonical(item, schema, definitions)
            for item, schema in zip_longest(
                value, firsts[: len(value)], fillvalue=array.get("items", {})
            )
        ]
        if array.get("uniqueItems"):
            by_text = {json.dumps(item, sort_keys=True): item for item in items}
            return [by_text[text] for text in sorted(by_text)]
        return items
    return value


def _part(schemas: Iterable[Mapping[str, Any]], name: str) -> Any:  # noqa: ANN401 - JSON
    """Return the schema of a property."""
    for schema in schemas:
        part = schema.get("properties", {}).get(name) or schema.get("additionalProperties")
        if isinstance(part, dict):
            return part
    return {}


def _alternatives(schema: Any, definitions: Mapping[str, Any]) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    """Yield a schema, or those of which its values fit one, without references."""
    if not isinstance(schema, dict):
        return
    if "$ref" in schema:
        yield from _alternatives(definitions.get(schema["$ref"].rpartition("/")[2]), definitions)
    yield schema
    for name in ("anyOf", "oneOf", "allOf"):
        for one in schema.get(name, ()):
            yield from _alternatives(one, definitions)
