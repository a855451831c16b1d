"""Everything that can go wrong, as one tree.

EngineError
├── DefinitionError            a module in `projections/` is wrong; found at start
│   └── ProjectionCycleError             projections would feed each other for ever
├── SettingError               an application setting is missing or unreadable
├── RequestError               a caller asked for something that cannot be done
│   ├── UnknownResourceError       no such command, entity, projection or event
│   ├── InvalidRequestError    the request does not fit, with the fields named
│   │   └── Refused            an author's command says no
│   ├── RequestTooLargeError   the request is larger than is accepted
│   └── IdempotencyKeyReusedError         an Idempotency-Key came back with another request
├── PoisonError                an event that no attempt can project
│   ├── InvalidEventError      the document is no valid event
│   ├── ProjectionFailedError  the projection raised
│   ├── InvalidOutputError     the projection emitted what it may not
│   ├── HopLimitError          too many projections lie behind the event
│   └── HeldUpError            an earlier event of its stream is parked
├── ProjectionBlockedError               an event stops its line
├── CosmosError                Cosmos DB answered, or failed to
│   ├── ThrottledError         wait as told, then again
│   ├── TransientError         again with backoff
│   ├── ConfigurationError     nothing helps but a change of configuration
│   ├── ConflictError          a document with this id is there already
│   ├── NotFoundError          the document is not there
│   └── RejectedByCosmosError   the request itself was not acceptable
├── LeaseFormatError                 a lease or an answer of the feed is not as documented
└── DeadlineExceededError           the invocation's time ran out before the work did
"""

from __future__ import annotations

from dataclasses import dataclass


class EngineError(Exception):
    """Base of every error that the engine raises."""


class DefinitionError(EngineError):
    """A projection module does not say what the engine needs to know."""


class ProjectionCycleError(DefinitionError):
    """Projections lead from an event type back to itself."""


class SettingError(EngineError):
    """An application setting is missing or cannot be read.

    Attributes:
        setting: Name of the setting.
    """

    def __init__(self, setting: str, problem: str) -> None:
        super().__init__(f"Setting {setting}: {problem}")
        self.setting = setting


class RequestError(EngineError):
    """A caller asked for something that cannot be done."""


class UnknownResourceError(RequestError):
    """The route names a command, entity, projection or event that is not there."""


@dataclass(frozen=True, kw_only=True)
class FieldError:
    """What is wrong with one field; `field` is dotted, empty for the whole body."""

    field: str
    detail: str


class InvalidRequestError(RequestError):
    """The request does not fit the command.

    Attributes:
        errors: One entry for each field.
    """

    def __init__(self, message: str, *errors: FieldError) -> None:
        super().__init__(message)
        self.errors = errors


class Refused(InvalidRequestError):  # noqa: N818 - authors raise it; it reads as a decision
    """A command refuses what was asked; raised by an author's `handle`.

    Args:
        message: Why, in words for the caller.
        field: The field that is at fault, if one is.
    """

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message, FieldError(field=field, detail=message))


class RequestTooLargeError(RequestError):
    """The request's body is larger than is accepted."""


class IdempotencyKeyReusedError(RequestError):
    """An Idempotency-Key was used before, for a different request."""


class PoisonError(EngineError):
    """An event that no attempt can project; it becomes a dead letter."""


class InvalidEventError(PoisonError):
    """A document of the events container is no valid event."""


class ProjectionFailedError(PoisonError):
    """A projection raised an exception."""


class InvalidOutputError(PoisonError):
    """A projection emitted something that is no valid derived event."""


class HopLimitError(PoisonError):
    """More projections lie between the event and its command than is allowed."""


class HeldUpError(PoisonError):
    """An earlier event of its stream is parked, and the projection keeps their order."""


class ProjectionBlockedError(EngineError):
    """An event fails in a projection declared with `on_failure="block"`; its lease waits."""


class CosmosError(EngineError):
    """Cosmos DB refused or failed a request.

    Attributes:
        status: HTTP status, 0 where no answer came.
        sub_status: Cosmos sub-status, 0 where none was given.
    """

    def __init__(self, message: str, *, status: int = 0, sub_status: int = 0) -> None:
        super().__init__(message)
        self.status = status
        self.sub_status = sub_status


class ThrottledError(CosmosError):
    """Cosmos DB takes no more for now (429, 449).

    Attributes:
        retry_after: Seconds that the service asked to wait, None where it did not say.
    """

    def __init__(
        self, message: str, *, status: int, sub_status: int, retry_after: float | None
    ) -> None:
        super().__init__(message, status=status, sub_status=sub_status)
        self.retry_after = retry_after


class TransientError(CosmosError):
    """The request may succeed when sent again; it may also have been applied."""


class ConfigurationError(CosmosError):
    """Key, role, endpoint or container are wrong; retrying cannot help."""


class ConflictError(CosmosError):
    """A document with this id exists in this stream."""


class NotFoundError(CosmosError):
    """The document does not exist."""


class RejectedByCosmosError(CosmosError):
    """Cosmos DB does not accept the request as it is."""


class LeaseFormatError(EngineError):
    """A lease document or an answer of the change feed does not hold what it must."""


class DeadlineExceededError(EngineError):
    """The time budget of this invocation ended before all writes were durable."""
