"""States and stored events, as the engine folds and reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast

from core.model.documents import Envelope, parse_event, stream_of
from core.model.entities import fold
from core.model.upcasts import upcast_fields
from core.testing.watching import forbid_impure_calls

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.model.entities import Entity
    from core.model.events import Event

EntityT = TypeVar("EntityT", bound="Entity")
EventT = TypeVar("EventT", bound="Event")

_TIME = "2026-01-01T00:00:00.000000Z"


def folded(entity: type[EntityT], *events: Event) -> EntityT:
    """Return the state of an entity after these events.

    Raises:
        AssertionError: If a reducer makes a call that a pure function must not make.
    """
    with forbid_impure_calls(f"The reducers of {entity.__name__}"):
        return fold(entity, events)


def read_as(event: type[EventT], version: int, data: Mapping[str, Any]) -> EventT:
    """Return an event of a version, as the engine reads its stored fields.

    Raises:
        InvalidEventError: If an upcast fails, or the version is newer than the code's.
        pydantic.ValidationError: If the fields are not valid for the event.
    """
    fields = upcast_fields(event, version, dict(data))
    stored = Envelope(
        id="1",
        streamId=stream_of(event.model_validate(fields)),
        type=event.stored_name,
        version=version,
        time=_TIME,
        data=dict(data),
    )
    return cast("EventT", parse_event(stored, event))
