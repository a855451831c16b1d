"""The fields of an entity as JSON, the same on every host; pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from pydantic import BaseModel


def shown_fields(model: BaseModel) -> dict[str, Any]:
    """Return the fields as JSON has them, in which the items of sets are sorted at any depth.

    The order of a set differs from process to process.
    """
    fields: dict[str, Any] = _with_sorted_sets(model, model.model_dump(mode="json"))
    return fields


def _with_sorted_sets(value: Any, shown: Any) -> Any:  # noqa: ANN401 - values of any type
    """Return what is shown of a value with sets sorted; a custom form is left as it is."""
    if isinstance(value, BaseModel) and isinstance(shown, dict):
        return {
            name: _with_sorted_sets(getattr(value, name, None), part)
            for name, part in shown.items()
        }
    if not isinstance(value, Collection) or type(shown) not in {dict, list}:
        return shown
    if len(value) != len(shown):
        return shown
    if isinstance(value, Mapping) and isinstance(shown, dict):
        parts = zip(value.values(), shown.items(), strict=True)
        return {name: _with_sorted_sets(part, item) for part, (name, item) in parts}
    items = [_with_sorted_sets(part, item) for part, item in zip(value, shown, strict=True)]
    return sorted(items, key=json.dumps) if isinstance(value, AbstractSet) else items
