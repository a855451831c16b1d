"""Everything that can go wrong, as one tree.

EngineError
├── DefinitionError                a projection module is wrong, which shows at startup
│   └── ProjectionCycleError       projections lead from an event type back to itself
├── SettingError                   an application setting is missing or invalid
├── RequestError                   a request cannot be served
│   ├── UnknownResourceError       the command, entity, projection or event does not exist
│   ├── InvalidRequestError        the request is invalid, with the fields named
│   ├── Refused                    an author's command says no
│   │   ├── Conflict               the request does not fit the present state
│   │   └── NotFound               there is no such entity
│   ├── RequestTooLargeError       the request is larger than is accepted
│   ├── IdempotencyKeyReusedError  the Idempotency-Key was used for another request
│   ├── PositionConflictError      the stream is not at the expected position
│   └── PositionNotReachedError    the stream has not reached the position yet
├── PoisonError                    an event that no attempt can project
│   ├── InvalidEventError          the document is not a valid event
│   ├── ProjectionFailedError      the projection raised an exception
│   ├── InvalidOutputError         the projection emitted what it may not
│   ├── ProjectionTooSlowError     the projection computes for too long
│   ├── HopLimitError              too many projections lie behind the event
│   └── EarlierEventParkedError    an earlier event of its stream is parked
├── ProjectionBlockedError         an event blocks its lease
├── CosmosError                    Cosmos DB returned an error, or did not respond
│   ├── ThrottledError             retry after the retry-after delay
│   ├── TransientError             retry with backoff
│   ├── ConfigurationError         correct the configuration
│   ├── ConflictError              a document with this id exists
│   ├── NotFoundError              the document does not exist
│   └── RejectedByCosmosError      the request itself is invalid
├── UnreadableEventError           a stream holds an event that this code cannot read
├── ReservedIdError                another program wrote an id that the engine gives
├── LeaseFormatError               a lease or a response of the feed is not as documented
└── DeadlineExceededError          the deadline was reached before the work was done
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from pydantic.alias_generators import to_snake


class EngineError(Exception):
    """The base of every error that the engine raises."""


class DefinitionError(EngineError):
    """A projection module lacks what the engine needs to know."""


class ProjectionCycleError(DefinitionError):
    """Projections lead from an event type back to itself."""


class SettingError(EngineError):
    """An application setting is missing or invalid.

    Attributes:
        setting: The name of the setting.
    """

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"Setting {setting}: {problem}")
        self.setting = setting


class RequestError(EngineError):
    """A request that cannot be served."""


class UnknownResourceError(RequestError):
    """The route names a command, entity, projection or event that does not exist."""


@dataclass(frozen=True, kw_only=True)
class FieldError:
    """An error in one field of a request.

    Attributes:
        field: The path of the field with dots, empty for the whole body.
        detail: The error.
    """

    field: str
    detail: str


class InvalidRequestError(RequestError):
    """The request is not valid.

    Attributes:
        errors: The errors by field.
    """

    def __init__(self, message: str, *errors: FieldError) -> None:
        super().__init__(message)
        self.errors = errors

    @classmethod
    def for_field(cls, field: str, detail: str) -> InvalidRequestError:
        """Return the error of a request in which one field is invalid."""
        return cls(detail, FieldError(field=field, detail=detail))


class Refused(RequestError):  # noqa: N818 - authors raise it; it reads as a decision
    """A refusal of the request.

    An author's `handle` raises it to say no. Subclasses are kinds of refusals that clients can tell
    apart: the first line of their docstring is the title.

    Args:
        message: The reason, in words for the caller.
        field: The invalid field, if there is one.
        facts: What the caller may want to know, as JSON has it.

    Attributes:
        kind: The name of the class in snake case.
        title: The first line of the docstring of the class.
        errors: The error of the field, if there is one.
        facts: As above.
    """

    def __init__(self, message: str, *, field: str = "", **facts: Any) -> None:  # noqa: ANN401 - JSON
        super().__init__(message)
        self.kind = to_snake(type(self).__name__)
        self.title = inspect.cleandoc(type(self).__doc__ or message).partition("\n")[0]
        self.errors = (FieldError(field=field, detail=message),) if field else ()
        self.facts = facts


class Conflict(Refused):
    """A conflict with the present state."""


class NotFound(Refused):
    """No such entity."""


class RequestTooLargeError(RequestError):
    """The body of the request is larger than is accepted."""


class IdempotencyKeyReusedError(RequestError):
    """The Idempotency-Key was used before, for a different request."""


class PositionConflictError(RequestError):
    """The stream is not at the position that the request or a decision was made on."""


class PositionNotReachedError(RequestError):
    """The stream has not reached the position that the request asks for."""


class PoisonError(EngineError):
    """An event that no attempt can project, so that it becomes a dead letter."""


class InvalidEventError(PoisonError):
    """A document of the events container is not a valid event.

    Attributes:
        place: The invalid fields with the types of their errors, empty if it is not about fields.
    """

    def __init__(self, message: str, *, place: str = "") -> None:
        super().__init__(message)
        self.place = place


class ProjectionFailedError(PoisonError):
    """A projection raised an exception."""


class InvalidOutputError(PoisonError):
    """A projection emitted something that is not a valid derived event."""


class ProjectionTooSlowError(PoisonError):
    """A projection twice used more processor time on one event than an invocation has."""


class HopLimitError(PoisonError):
    """More projections lie between the event and its command than is allowed."""


class EarlierEventParkedError(PoisonError):
    """An earlier event of the stream is parked, and the projection keeps their order."""


class ProjectionBlockedError(EngineError):
    """An event blocks its lease, because of a projection with `on_failure="block"`."""


class CosmosError(EngineError):
    """Cosmos DB returned an error, or did not respond.

    Attributes:
        status: The HTTP status, 0 if there was no response.
        sub_status: The sub-status of Cosmos DB, 0 if there was none.
    """

    def __init__(self, message: str, *, status: int = 0, sub_status: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.sub_status = sub_status


class ThrottledError(CosmosError):
    """Cosmos DB throttles requests (429, 449).

    Attributes:
        retry_after: The seconds to wait, None if Cosmos DB does not specify them.
    """

    def __init__(
        self, message: str, *, status: int, sub_status: int, retry_after: float | None
    ) -> None:
        super().__init__(message, status=status, sub_status=sub_status)
        self.retry_after = retry_after


class TransientError(CosmosError):
    """The request may succeed on retry, and it may have been applied already."""


class ConfigurationError(CosmosError):
    """The key, role, endpoint or container is wrong, so that a retry cannot help."""


class ConflictError(CosmosError):
    """A document with this id exists in the stream."""


class NotFoundError(CosmosError):
    """The document does not exist."""


class RejectedByCosmosError(CosmosError):
    """Cosmos DB will never accept the request as it is."""


class UnreadableEventError(EngineError):
    """A stream holds an event that cannot be read, so that no state of its entity is right.

    Attributes:
        event_id: The id of the event.
        event_type: The type of the event.
    """

    def __init__(self, *, event_id: str, event_type: str, reason: str) -> None:
        super().__init__(
            f"Event {event_id!r:.200} of type {event_type!r:.200} cannot be read. {reason} Deploy "
            "code that reads it, as the version that stored it does."
        )
        self.event_id = event_id
        self.event_type = event_type


class ReservedIdError(EngineError):
    """A stream holds a document of another program, whose id is one that the engine gives."""


class LeaseFormatError(EngineError):
    """A lease document or a response of the change feed is not as documented."""


class DeadlineExceededError(EngineError):
    """The deadline of an invocation or a request was reached before the work was done."""
