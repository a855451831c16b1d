"""What an application computes from events, as text that can be compared between processes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import BaseModel

from core.errors import InvalidEventError, PoisonError
from core.model.documents import stream_of
from core.model.entities import fold, reducers
from core.model.upcasts import upcast_fields
from core.testing.projecting import derive_writes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from core.model.entities import Entity
    from core.model.events import Event
    from core.model.projections import Projection
    from core.model.registry import Registry

Outputs = dict[str, str]
"""The outputs by what computes them and the number of the event."""


def outputs(registry: Registry, events: Sequence[Event], *, backwards: bool = False) -> Outputs:
    """Return what projections, reducers and upcasts make of events.

    Args:
        registry: The declarations of the application.
        events: The events.
        backwards: Whether to begin with the last event, which must not make a difference.
    """
    numbers = range(len(events))
    texts: Outputs = {}
    for number in reversed(numbers) if backwards else numbers:
        for subject, text in _outputs_of(registry, events[: number + 1]):
            texts[f"{subject}, event {number + 1}"] = text
    return texts


def _outputs_of(registry: Registry, events: Sequence[Event]) -> Iterator[tuple[str, str]]:
    """Yield what the last event leads to, after the others."""
    event, kind = events[-1], type(events[-1])
    for projection in registry.projections.values():
        if kind in projection.source_types:
            yield f"projection {projection.name}", _project(projection, event)
    for name, entity in registry.entities.items():
        if kind in reducers(entity):
            yield f"reducers of {name}", _fold(entity, events)
    if kind.upcasts:
        yield f"upcasts of {kind.__name__}", _upcast(kind, event.model_dump(mode="json"))


def _project(projection: Projection, event: Event) -> str:
    try:
        documents = [json.loads(write.body) for write in derive_writes(projection, event)]
    except PoisonError as error:
        return f"raises {type(error.__cause__ or error).__name__}"
    return ", ".join(f"{one['type']} {one['streamId']} {one['data']}" for one in documents)


def _fold(entity: type[Entity], events: Sequence[Event]) -> str:
    stream = stream_of(events[-1])
    return _text(fold(entity, [event for event in events if stream_of(event) == stream]))


def _upcast(kind: type[Event], fields: Mapping[str, object]) -> str:
    """Return what the upcasts make of today's fields, which the older ones may reject."""
    try:
        return str(upcast_fields(kind, 1, dict(fields)))
    except InvalidEventError as error:
        return str(error)


def _text(value: object) -> str:
    """Return a value as text in which sets and dictionaries are sorted."""
    if isinstance(value, BaseModel):
        return _text({name: getattr(value, name) for name in type(value).model_fields})
    if isinstance(value, dict):
        return _text(
            [f"{_text(key)}: {_text(item)}" for key, item in sorted(value.items(), key=repr)]
        )
    if isinstance(value, (set, frozenset)):
        return ", ".join(sorted(map(_text, value)))
    if isinstance(value, (tuple, list)):
        return ", ".join(map(_text, value))
    return str(value)
