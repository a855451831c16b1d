"""From stored documents to what follows from them: the pure middle of the engine."""

from __future__ import annotations

import traceback
from functools import partial
from typing import TYPE_CHECKING, Any

from core.dead_letters.poison import PoisonEvent
from core.errors import HeldUpError, HopLimitError, InvalidEventError, PoisonError
from core.model.documents import Envelope, parse_event
from core.projecting.fan_out import FanOut
from core.projecting.parked_streams import ParkedStreams, feed_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from core.model.projections import Projection
    from core.model.registry import ProjectionModule

_LONGEST_TRACEBACK = 8_000
"""Characters; the end is kept, which is where the error is."""


def derive(
    module: ProjectionModule,
    documents: Iterable[Mapping[str, Any]],
    *,
    max_hops: int,
    sequences: ParkedStreams | None = None,
) -> Iterator[FanOut | PoisonEvent]:
    """Run a module's projections over documents of the events container.

    Yields the fan-out of each event and projection, in the order of the events, always in the
    same one; each must be drawn to its end before the next is asked for. Events that no
    projection of the module is triggered by are passed over without being validated. `sequences`
    are the streams in which something is parked already; those where something is parked now are
    added.
    """
    sequences = sequences or ParkedStreams()
    for raw in documents:
        projections = module.projections_by_type.get(_type_of(raw), ())
        if not projections and isinstance(raw.get("type"), str):
            continue
        try:
            envelope = Envelope.from_document(raw)
            event = parse_event(envelope, module.source_types[envelope.type])
        except InvalidEventError as error:
            sequences.park(None, raw.get("streamId"), feed_order(raw))
            yield _poison(module, None, raw, error, blocks=_one_blocks(projections))
            continue
        for projection in projections:
            poison = partial(_fail, module, projection, raw, sequences)
            obstacle = _obstacle(projection, raw, envelope, sequences, max_hops)
            yield poison(obstacle) if obstacle else FanOut(projection, envelope, event, poison)


def _obstacle(
    projection: Projection,
    raw: Mapping[str, Any],
    envelope: Envelope,
    sequences: ParkedStreams,
    max_hops: int,
) -> PoisonError | None:
    """Why the projection must not even be run."""
    if sequences.must_park(projection, raw):
        return HeldUpError("An earlier event of its stream is parked.")
    if envelope.meta.hops >= max_hops:
        return HopLimitError(
            f"{envelope.meta.hops} projections lie behind this event; the limit is {max_hops}."
        )
    return None


def _fail(
    module: ProjectionModule,
    projection: Projection,
    raw: Mapping[str, Any],
    sequences: ParkedStreams,
    error: PoisonError,
) -> PoisonEvent:
    sequences.park(projection.name, raw.get("streamId"), feed_order(raw))
    blocks = _one_blocks((projection,))
    return _poison(module, projection.name, raw, error, blocks=blocks)


def _poison(
    module: ProjectionModule,
    name: str | None,
    raw: Mapping[str, Any],
    error: PoisonError,
    *,
    blocks: bool,
) -> PoisonEvent:
    cause = error.__cause__
    return PoisonEvent(
        module=module.name,
        projection=name,
        stream_id=raw.get("streamId"),
        event_id=raw.get("id"),
        reason=str(error),
        error_type=type(error).__name__,
        traceback=_text(cause) if cause else "",
        order=feed_order(raw),
        blocks=blocks,
    )


def _one_blocks(projections: Iterable[Projection]) -> bool:
    return any(each.on_failure == "block" for each in projections)


def _text(error: BaseException) -> str:
    """The error with its traceback; kept in the dead letter only, for it may quote the payload."""
    return "".join(traceback.format_exception(error))[-_LONGEST_TRACEBACK:]


def _type_of(raw: Mapping[str, Any]) -> str:
    name = raw.get("type")
    return name if isinstance(name, str) else ""
