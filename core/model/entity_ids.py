"""The field of an event or a command that says which entity it is about."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, TypeVar

from core.errors import DefinitionError

if TYPE_CHECKING:
    from pydantic import BaseModel

IdT = TypeVar("IdT")


class _IsId:
    """The mark of the field."""


Id = Annotated[IdT, _IsId()]
"""The type of the field whose value is the id of the entity: `order_id: Id[UUID]`."""


@cache
def id_field(model: type[BaseModel]) -> str | None:
    """Return the name of the field that has the id of the entity, None if there is none.

    Raises:
        DefinitionError: If there are several.
    """
    names = [
        name
        for name, field in model.model_fields.items()
        if any(isinstance(one, _IsId) for one in field.metadata)
    ]
    if len(names) > 1:
        raise DefinitionError(
            f"{model.__name__} has the ids {', '.join(names)} → mark one field with Id, or define "
            "entity_id instead."
        )
    return names[0] if names else None
