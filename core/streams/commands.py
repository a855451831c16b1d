"""From a command to its append; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from core.errors import (
    DefinitionError,
    FieldError,
    InvalidRequestError,
    NotFound,
    Refused,
    RequestTooLargeError,
)
from core.model.commands import field_errors
from core.model.documents import stream_of, to_document
from core.model.entity_ids import id_field
from core.model.handlers import handler_of
from core.model.names import stream_id
from core.quotas import MAX_OPERATIONS, MAX_REQUEST_BYTES
from core.streams.appends import Append

if TYPE_CHECKING:
    from datetime import datetime

    from core.model.commands import Command
    from core.model.entities import Entity
    from core.model.events import Event
    from core.streams.deciding import Decision
    from core.streams.keys import IdempotencyKey
    from core.throttling.deadline import Deadline


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One execution of a command.

    Attributes:
        command: The command.
        key: The idempotency key, if there is one.
        correlation_id: The id that everything which follows from the command shares.
        token: A random text that no other execution of a command has.
        deadline: The time by which the caller must have an answer.
        traceparent: The trace that the command belongs to, if there is one.
    """

    command: Command
    key: IdempotencyKey | None
    correlation_id: str
    token: str
    deadline: Deadline
    traceparent: str | None

    @property
    def name(self) -> str:
        """The name of the command."""
        return self.command.stored_name


def build_append(execution: Execution, now: datetime) -> Append | None:
    """Return what a command that decides on nothing appends, None if it appends nothing.

    Args:
        execution: The execution of the command.
        now: The time.

    Raises:
        Refused: If the command refuses.
        InvalidRequestError: If the id of the entity cannot be used, or the values are not valid for
            the fields of an event.
        RequestTooLargeError: If the events do not fit into one request to Cosmos DB.
        DefinitionError: If the command appends to several streams, or too many events.
    """
    events = _handle(execution, None, now)
    return (
        _new_append(execution, _stream_of_all(execution.name, events), events) if events else None
    )


def build_decision(execution: Execution, entity: type[Entity]) -> Append:
    """Return what a decision of a command appends to: the stream of its entity, and no events yet.

    Raises:
        InvalidRequestError: If the id of the entity cannot be used.
    """
    field = str(id_field(type(execution.command)))
    try:
        stream = stream_id(entity.stored_name, getattr(execution.command, field))
    except ValueError as error:
        message = f"Command {execution.name!r}: {error}."
        raise InvalidRequestError(message, FieldError(field=field, detail=str(error))) from None
    return _new_append(execution, stream, [])


def decide(execution: Execution, stream: str, state: Entity | None, now: datetime) -> Decision:
    """Return the documents of the events that a command appends on a state, or its refusal.

    Args:
        execution: The execution of the command.
        stream: The stream of the entity.
        state: The state, None if there is no such entity.
        now: The time of the first event.

    Raises:
        InvalidRequestError: If the values are not valid for the fields of an event.
        RequestTooLargeError: If the events do not fit into one request to Cosmos DB.
        DefinitionError: If the command appends to another stream, other events, or too many.
    """
    handler = handler_of(type(execution.command))
    if state is None and handler.is_required:
        return NotFound(f"There is no {stream.partition('-')[0]} of this id.")
    try:
        events = _handle(execution, state, now)
    except Refused as refusal:
        return refusal
    for event in events:
        if type(event) not in handler.event_types:
            raise DefinitionError(
                f"Command {execution.name!r} appends {event.stored_name}, which its annotation "
                "does not declare."
            )
    if events and _stream_of_all(execution.name, events) != stream:
        raise DefinitionError(
            f"Command {execution.name!r} decides on one stream and appends to another one. Let a "
            "projection write the other one."
        )
    return _new_append(execution, stream, events).events


def _handle(execution: Execution, state: Entity | None, now: datetime) -> list[Event]:
    command = execution.command
    try:
        return list(command.handle(**handler_of(type(command)).arguments(state, now)))
    except ValidationError as error:
        raise InvalidRequestError(
            f"The request does not make a valid event of command {execution.name!r}.",
            *field_errors(error),
        ) from None


def _new_append(execution: Execution, stream: str, events: list[Event]) -> Append:
    append = Append(
        stream_id=stream,
        events=[
            to_document(event, execution.correlation_id, execution.traceparent) for event in events
        ],
        token=execution.token,
        deadline=execution.deadline,
        key=execution.key,
    )
    _check(execution.name, append)
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
