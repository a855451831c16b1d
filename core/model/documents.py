"""The documents that store events.

A document is `id, streamId, type, version, time, data, meta`, and `position` if a command appended
it; `streamId` is the partition key, and the id is unique inside a stream.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic_core import to_json

from core.errors import InvalidEventError
from core.model.names import stream_id
from core.model.times import canonical_time
from core.model.upcasts import upcast_fields
from core.model.validation_errors import format_invalid_fields, format_validation_errors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from core.model.events import Event

Document = dict[str, Any]

DATE_PARSING = ("extensions", "cosmosDB", "serializerSettings", "dateParseHandling")
"""The property of host.json that keeps the dates in documents as they are stored, if it is None.

Source: azure-webjobs-sdk-extensions#923.
"""

KEY_TYPE, ERASED_TYPE = "$key", "$erased"
"""The types of documents that are not events: what a command with an idempotency key has done, and
the stub that an erased event leaves. No class has such a name."""

_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}\Z")
"""W3C Trace Context, section 3.2."""

_Name = Annotated[str, StringConstraints(min_length=1, max_length=1023)]
_Time = Annotated[str, AfterValidator(canonical_time)]


def _traceparent(value: object) -> object:
    """Return a traceparent, None if the value is not one, as no event is invalid for its trace."""
    return value if isinstance(value, str) and _TRACEPARENT.match(value) else None


_Traceparent = Annotated[str | None, BeforeValidator(_traceparent)]


class MissingDocument(dict[str, Any]):
    """A document as the host handed it over, which was not found when it had to be read."""


class EventMetadata(BaseModel):
    """The origin of a stored event.

    `hops` counts the projections between it and its command. Of a derived event, `stream_id` and
    `causation_id` are those of its source, and `index` is its place among all that its projection
    emitted for it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    correlation_id: _Name | None = Field(default=None, alias="correlationId")
    causation_id: _Name | None = Field(default=None, alias="causationId")
    stream_id: _Name | None = Field(default=None, alias="streamId")
    projection: _Name | None = None
    index: int = Field(default=0, ge=0)
    hops: int = Field(default=0, ge=0)
    traceparent: _Traceparent = None


class Envelope(BaseModel):
    """A document of the events container, whose data is not validated yet.

    `rid` is its resource id, and `lsn` its transaction if the change feed delivered it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    id: _Name
    stream_id: _Name = Field(alias="streamId")
    type: _Name
    version: int = Field(ge=1)
    time: _Time
    data: dict[str, Any]
    meta: EventMetadata = EventMetadata()
    rid: str = Field(default="", alias="_rid")
    lsn: int = Field(default=0, alias="_lsn")

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return the envelope of a document.

        Raises:
            InvalidEventError: If it is not an event. The message has no values of fields.
        """
        if isinstance(document, MissingDocument):
            raise InvalidEventError(
                "The event was not found. It has to be read, because the host rewrites dates: set "
                f"{'.'.join(DATE_PARSING)} in host.json to None."
            )
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise InvalidEventError(
                f"The document is not an event: {format_validation_errors(error)}",
                place=format_invalid_fields(error),
            ) from None


def is_event(document: Mapping[str, Any]) -> bool:
    """Return whether a document may be an event, which key documents and stubs are not."""
    event_type = document.get("type")
    return not (isinstance(event_type, str) and event_type.startswith("$"))


class Cause(NamedTuple):
    """What a derived document follows from.

    Attributes:
        projection: The name of the projection; None if the source event cannot be read.
        stream_id: The stream of the source event; any JSON value if it is not an event.
        event_id: The id of the source event; any JSON value if it is not an event.
        stream_order: The place of the source event in its stream, as text that sorts; empty, and so
            before all others, if the document is not an event.
    """

    projection: str | None
    stream_id: Any
    event_id: Any
    stream_order: str


def stream_of(event: Event) -> str:
    """Return the stream that an event belongs to.

    Raises:
        ValueError: If its `entity_id` cannot be used.
    """
    return stream_id(event.entity, event.entity_id)


def parse_event(envelope: Envelope, model: type[Event]) -> Event:
    """Return the event of an envelope.

    Raises:
        InvalidEventError: If it is not valid for the model, or is stored in another stream.
    """
    if envelope.version > model.version:
        raise InvalidEventError(
            f"{envelope.type} has version {envelope.version}; this code has {model.version}."
        )
    data = envelope.data
    if model.upcasts:
        data = upcast_fields(model, envelope.version, data)
    try:
        event = model.model_validate(data)
        stream = stream_of(event)
    except ValidationError as error:
        raise InvalidEventError(
            f"The data is not a valid {model.__name__}: {format_validation_errors(error)}",
            place=format_invalid_fields(error),
        ) from None
    except ValueError as error:
        raise InvalidEventError(f"{model.__name__}: {error}") from None
    except Exception as error:  # a validator or a property of the author's
        raise InvalidEventError(
            f"{model.__name__} raised {type(error).__name__} while its data was validated."
        ) from error
    if stream != envelope.stream_id:
        raise InvalidEventError(f"{model.__name__} is stored in the stream of another entity.")
    return event


def to_document(event: Event, correlation_id: str, traceparent: str | None = None) -> Document:
    """Return the document of a command's event, without what its writer gives it: id and time.

    Args:
        event: The event.
        correlation_id: The id that the event shares with all that follows from the command.
        traceparent: The span of the command, None if nothing is recorded.

    Raises:
        ValueError: If the event's `entity_id` cannot be used.
        pydantic.PydanticSerializationError: If a field holds what its type does not allow.
    """
    return {
        "streamId": stream_of(event),
        "type": event.stored_name,
        "version": type(event).version,
        "data": event.model_dump(mode="json"),
        "meta": _traced({"correlationId": correlation_id, "hops": 0}, traceparent),
    }


class DerivedEventEncoder:
    """Encodes events that are derived from one source event, and so share time and origin.

    The result has the fields of `to_document` at a tenth of its cost. The time is that of an
    envelope, and a type is an identifier of Python: neither needs escapes.

    Args:
        source: The document of the source event.
        projection: The name of the projection.
    """

    __slots__ = ("_meta", "_time")

    def __init__(self, source: Envelope, projection: str) -> None:
        self._time = source.time
        meta = {
            "correlationId": source.meta.correlation_id or source.id,
            "causationId": source.id,
            "streamId": source.stream_id,
            "projection": projection,
            "hops": source.meta.hops + 1,
        }
        text = to_json(_traced(meta, source.meta.traceparent)).decode()
        self._meta = text.removesuffix("}")

    def encode(self, event: Event, data: str, *, event_id: str, stream: str, index: int) -> bytes:
        """Return the document in UTF-8.

        Args:
            event: The event.
            data: The fields, as `model_dump_json` returns them.
            event_id: The id, a UUID.
            stream: The stream of the event; neither needs escapes.
            index: The place among all that the projection emits, left out where it is 0.

        Raises:
            ValueError: If a field holds a number that JSON does not have, or half a character.
        """
        if "NaN" in data or "Infinity" in data:
            json.loads(data, parse_constant=_reject)
        kind = type(event)
        head = f'"id":"{event_id}","streamId":"{stream}","type":"{kind.stored_name}"'
        middle = f'"version":{kind.version},"time":"{self._time}","data":{data}'
        last = f',"index":{index}' if index else ""
        return f'{{{head},{middle},"meta":{self._meta}{last}}}}}'.encode()


def _traced(meta: Document, traceparent: str | None) -> Document:
    return meta if traceparent is None else {**meta, "traceparent": traceparent}


def _reject(constant: str) -> None:
    raise ValueError(f"JSON has no {constant}")
