"""From a command to its append; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from core.errors import DefinitionError, InvalidRequestError, RequestTooLargeError
from core.model.commands import command_name, field_errors
from core.model.documents import Origin, stream_of, to_document
from core.quotas import MAX_OPERATIONS, MAX_REQUEST_BYTES
from core.streams.appends import Append

if TYPE_CHECKING:
    from core.model.commands import Command
    from core.model.events import Event
    from core.streams.keys import IdempotencyKey
    from core.throttling.deadline import Deadline


def build_append(
    command: Command,
    *,
    key: IdempotencyKey | None,
    correlation_id: str,
    token: str,
    deadline: Deadline,
    traceparent: str | None,
) -> Append | None:
    """Return what a command appends to its stream, None if it appends nothing.

    Args:
        command: The command.
        key: The idempotency key, if there is one.
        correlation_id: The id that everything which follows from the command shares.
        token: A random text that no other execution of a command has.
        deadline: The time by which the caller must have an answer.
        traceparent: The trace that the command belongs to, if there is one.

    Raises:
        Refused: If the command rejects the request.
        InvalidRequestError: If the id of the entity cannot be used, or the values are not valid for
            the fields of an event.
        RequestTooLargeError: If the events do not fit into one request to Cosmos DB.
        DefinitionError: If the command appends to several streams, or too many events.
    """
    name = command_name(type(command))
    try:
        events = list(command.handle())
    except ValidationError as error:
        raise InvalidRequestError(
            f"The request does not make a valid event of command {name!r}.", *field_errors(error)
        ) from None
    if not events:
        return None
    origin = Origin(correlation_id=correlation_id, traceparent=traceparent)
    append = Append(
        stream_id=_stream_of_all(name, events),
        events=[to_document(event, origin) for event in events],
        token=token,
        deadline=deadline,
        key=key,
    )
    _check(name, append)
    return append


def _stream_of_all(command: str, events: list[Event]) -> str:
    try:
        streams = {stream_of(event) for event in events}
    except ValueError as error:
        raise InvalidRequestError(f"Command {command!r}: {error}.") from None
    if len(streams) > 1:
        raise DefinitionError(
            f"Command {command!r} appends to {len(streams)} streams, which is not atomic. "
            "Append to one stream and let a projection write the others."
        )
    return streams.pop()


def _check(command: str, append: Append) -> None:
    if append.operations > MAX_OPERATIONS:
        raise DefinitionError(
            f"Command {command!r} appends {len(append.events)} events; up to {MAX_OPERATIONS} are "
            f"atomic, and {MAX_OPERATIONS - 1} with an Idempotency-Key. Append one event and let a "
            "projection derive the others."
        )
    if append.size > MAX_REQUEST_BYTES:
        raise RequestTooLargeError(
            f"The events of command {command!r} have {append.size} bytes; Cosmos DB takes up to "
            f"{MAX_REQUEST_BYTES} in one request."
        )
