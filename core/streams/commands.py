"""From a command to the documents that it appends; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from core.errors import DefinitionError, InvalidRequestError
from core.ids import command_event_id, correlation_id
from core.model.commands import command_name, field_errors
from core.model.documents import Origin, stream_of, to_document
from core.model.times import STEP, format_time
from core.quotas import MAX_OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from core.model.commands import Command
    from core.model.documents import Document
    from core.model.events import Event


def build_documents(
    command: Command,
    *,
    key: str | None,
    new_id: Callable[[], UUID],
    now: datetime,
    traceparent: str | None,
) -> list[Document]:
    """Return the documents that a command appends to its stream, none if it appends nothing.

    With an idempotency key the ids follow from it, so that a client may repeat a request without
    having seen the response. Times grow by 10 microseconds from event to event, which keeps their
    order.

    Args:
        command: The command.
        key: The idempotency key, if there is one.
        new_id: A function that returns a random id, called only if there is no key.
        now: The time of the first event.
        traceparent: The trace that the command belongs to, if there is one.

    Raises:
        Refused: If the command rejects the request.
        InvalidRequestError: If the id of the entity cannot be used, or the values are not valid for
            the fields of an event.
        DefinitionError: If the command appends to several streams, or more than 100 events.
    """
    name = command_name(type(command))
    try:
        events = list(command.handle())
    except ValidationError as error:
        raise InvalidRequestError(
            f"The request does not make a valid event of command {name!r}.", *field_errors(error)
        ) from None
    _check(name, events)
    origin = Origin(
        correlation_id=correlation_id(command=name, key=key) if key else str(new_id()),
        traceparent=traceparent,
    )
    return [
        {
            "id": _event_id(name, key, event, ordinal) if key else str(new_id()),
            "time": format_time(now + ordinal * STEP),
            **to_document(event, origin),
        }
        for ordinal, event in enumerate(events)
    ]


def _event_id(command: str, key: str, event: Event, ordinal: int) -> str:
    return command_event_id(
        command=command,
        key=key,
        event_type=type(event).__name__,
        stream=stream_of(event),
        ordinal=ordinal,
    )


def _check(name: str, events: list[Event]) -> None:
    try:
        streams = {stream_of(event) for event in events}
    except ValueError as error:
        raise InvalidRequestError(f"Command {name!r}: {error}.") from None
    if len(streams) > 1:
        raise DefinitionError(
            f"Command {name!r} appends to {len(streams)} streams, which is not atomic. "
            "Append to one stream and let a projection write the others."
        )
    if len(events) > MAX_OPERATIONS:
        raise DefinitionError(
            f"Command {name!r} appends {len(events)} events; up to {MAX_OPERATIONS} are "
            "atomic. Append one event and let a projection derive the others."
        )
