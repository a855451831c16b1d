"""Equal values whose sets and dictionaries have another order."""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel

ModelT = TypeVar("ModelT", bound=BaseModel)


def reordered(model: ModelT) -> ModelT:
    """Return an equal model in which every dictionary and set has the opposite order."""
    changes = {name: _reordered(getattr(model, name)) for name in type(model).model_fields}
    return model.model_copy(update=changes)


def _reordered(value: object) -> object:
    if isinstance(value, BaseModel):
        return reordered(value)
    if isinstance(value, dict):
        return {key: _reordered(value[key]) for key in reversed(value)}
    if isinstance(value, (set, frozenset)):
        return type(value)(reversed([*value]))
    if isinstance(value, (tuple, list)):
        return type(value)(_reordered(item) for item in value)
    return value
