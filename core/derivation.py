"""From stored documents to derived documents: the pure middle of the engine."""

from __future__ import annotations

import json
import traceback
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from pydantic_core import PydanticSerializationError

from core.errors import (
    HeldUpError,
    HopLimitError,
    InvalidEventError,
    InvalidOutputError,
    PoisonError,
    ProjectionFailedError,
)
from core.events import Document, Envelope, Event, Origin, document, read_event
from core.ids import derived_event_id
from core.sequences import Sequences, order_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from core.projections import Projection
    from core.registry import ProjectionModule

MAX_DOCUMENT_BYTES = 2 * 1024 * 1024 - 16 * 1024
"""Cosmos DB's limit of 2 MB for an item, less room for the properties that the service adds."""

_HELD_BACK = 10_000
"""Derived events of one event and projection that are waited for before the first is written."""

_LONGEST_TRACEBACK = 8_000
"""Characters; the end is kept, which is where the error is."""


@dataclass(frozen=True, kw_only=True)
class Write:
    """A document to be made durable in its stream; `size` in bytes as sent."""

    stream_id: str
    id: str
    document: Document
    size: int


@dataclass(frozen=True, kw_only=True)
class Poison:
    """An event that no attempt can project, and why.

    `projection` is None where the document could not be read at all. `stream_id` and `event_id`
    are whatever the document holds there. `order` is its place in its stream; `blocks` says that
    the line must wait for it.
    """

    module: str
    projection: str | None
    stream_id: Any
    event_id: Any
    reason: str
    error_type: str
    traceback: str = ""
    order: str = ""
    blocks: bool = False


def derive(
    module: ProjectionModule,
    documents: Iterable[Mapping[str, Any]],
    *,
    max_hops: int,
    sequences: Sequences | None = None,
) -> Iterator[Write | Poison]:
    """Run a module's projections over documents of the events container.

    Yields the derived documents of each event in the order of the events, always in the same
    one. Of an event and a projection come either all derived documents or one `Poison`; only of
    a fan-out of over 10,000 the first ones come before it is known whether it will end well, so
    that memory stays flat whatever the fan-out. Events that no projection of the module is
    triggered by are passed over without being validated. `sequences` are the streams in which
    something is parked already; those where something is parked now are added.
    """
    sequences = sequences or Sequences()
    for raw in documents:
        projections = module.by_trigger.get(_type_of(raw), ())
        if not projections and isinstance(raw.get("type"), str):
            continue
        try:
            envelope = Envelope.read(raw)
            event = read_event(envelope, _model(projections[0], envelope.type))
        except InvalidEventError as error:
            sequences.park(None, raw.get("streamId"), order_of(raw))
            yield _poison(module, projections, raw, error)
            continue
        for projection in projections:
            try:
                if sequences.is_held_up(projection, raw):
                    raise HeldUpError("An earlier event of its stream is parked.")
                yield from _held_back(project(projection, envelope, event, max_hops=max_hops))
            except PoisonError as error:
                sequences.park(projection.name, envelope.stream_id, order_of(raw))
                yield _poison(module, (projection,), raw, error, name=projection.name)


def project(
    projection: Projection, envelope: Envelope, event: Event, *, max_hops: int
) -> Iterator[Write]:
    """What one projection derives from one event.

    Ids, times and metadata follow from the source alone, so that every run gives the same.

    Raises:
        PoisonError: The projection raised, emitted what it may not, or is too many hops away.
    """
    if envelope.meta.hops >= max_hops:
        raise HopLimitError(
            f"{envelope.meta.hops} projections lie behind this event; the limit is {max_hops}."
        )
    origin = Origin(
        correlation_id=envelope.meta.correlation_id or envelope.id,
        causation_id=envelope.id,
        projection=projection.name,
        hops=envelope.meta.hops + 1,
    )
    ordinals: Counter[tuple[str, str]] = Counter()
    for derived in _run(projection, event):
        place = _place(projection, derived)
        event_id = derived_event_id(
            projection=projection.name,
            source_stream=envelope.stream_id,
            source_id=envelope.id,
            event_type=place[0],
            stream=place[1],
            ordinal=ordinals[place],
        )
        ordinals[place] += 1
        yield _write(derived, event_id, envelope.time, origin)


def _held_back(writes: Iterator[Write]) -> Iterator[Write]:
    """The writes, none of them before the first 10,000 are there, or all."""
    yield from list(islice(writes, _HELD_BACK))
    yield from writes


def _run(projection: Projection, event: Event) -> Iterator[Event]:
    try:
        yield from projection(event)
    except Exception as error:
        raise ProjectionFailedError(
            f"Projection {projection.name} raised {type(error).__name__}."
        ) from error


def _place(projection: Projection, derived: object) -> tuple[str, str]:
    """Type and stream of a derived event, if it is one that the projection may emit."""
    if not isinstance(derived, Event) or type(derived) not in projection.emits:
        raise InvalidOutputError(
            f"Projection {projection.name} emitted {type(derived).__name__}, "
            "which its annotation does not declare."
        )
    try:
        return type(derived).__name__, derived.stream_id
    except Exception as error:
        raise InvalidOutputError(
            f"Projection {projection.name} emitted {type(derived).__name__} "
            "without a usable entity_id."
        ) from error


def _write(derived: Event, event_id: str, time: str, origin: Origin) -> Write:
    try:
        content = document(derived, event_id=event_id, time=time, origin=origin)
        size = len(json.dumps(content, separators=(",", ":")))
    except (PydanticSerializationError, TypeError, ValueError) as error:
        raise InvalidOutputError(
            f"Projection {origin.projection} emitted {type(derived).__name__} with fields that "
            "cannot be stored."
        ) from error
    if size > MAX_DOCUMENT_BYTES:
        raise InvalidOutputError(
            f"Projection {origin.projection} emitted {type(derived).__name__} of {size} bytes; "
            f"Cosmos DB stores up to {MAX_DOCUMENT_BYTES}."
        )
    return Write(stream_id=content["streamId"], id=event_id, document=content, size=size)


def _poison(
    module: ProjectionModule,
    concerned: Iterable[Projection],
    raw: Mapping[str, Any],
    error: PoisonError,
    name: str | None = None,
) -> Poison:
    cause = error.__cause__
    return Poison(
        module=module.name,
        projection=name,
        stream_id=raw.get("streamId"),
        event_id=raw.get("id"),
        reason=str(error),
        error_type=type(error).__name__,
        traceback=_text(cause) if cause else "",
        order=order_of(raw),
        blocks=any(each.on_failure == "block" for each in concerned),
    )


def _text(error: BaseException) -> str:
    """The error with its traceback; kept in the dead letter only, for it may quote the payload."""
    return "".join(traceback.format_exception(error))[-_LONGEST_TRACEBACK:]


def _type_of(raw: Mapping[str, Any]) -> str:
    name = raw.get("type")
    return name if isinstance(name, str) else ""


def _model(projection: Projection, name: str) -> type[Event]:
    return next(each for each in projection.triggers if each.__name__ == name)
