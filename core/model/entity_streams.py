"""The one spelling of an entity's id, whatever spelling a URL has."""

from __future__ import annotations

import inspect
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import PydanticSchemaGenerationError, TypeAdapter

from core.model.entity_ids import id_field
from core.model.names import stream_id
from core.model.signatures import resolve_annotations

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.model.events import Event


def entity_stream(entity: str, text: str, events: Iterable[type[Event]]) -> str:
    """Return the stream of an entity, whose id is given as text.

    The id is read as the type of the `entity_id` of the entity's events. So capitals in a
    UUID name the same stream as in a command.

    Args:
        entity: The name of the entity.
        text: The id in any spelling that its type accepts.
        events: The event types of the application.

    Raises:
        ValueError: If there cannot be such an id.
    """
    types = {_id_type(event) for event in events if event.entity == entity}
    if len(types) != 1:
        return stream_id(entity, text)
    return stream_id(entity, _adapter(types.pop()).validate_strings(text))


@cache
def _id_type(event: type[Event]) -> Any:  # noqa: ANN401 - an annotation
    """Return the type of the id of an event's entity, str if it is not annotated.

    Raises:
        DefinitionError: If the annotation names something that is not defined above it.
    """
    field = id_field(event)
    if field is not None:
        return event.model_fields[field].annotation
    getter = getattr(inspect.getattr_static(event, "entity_id"), "fget", None)
    if getter is None:
        return str
    return resolve_annotations(f"entity_id of event {event.__name__}", getter).get("return", str)


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - an annotation
    """Return what reads an id of a type, or any text if the type is not one for JSON."""
    try:
        return TypeAdapter(annotation)
    except PydanticSchemaGenerationError:
        return TypeAdapter(str)
