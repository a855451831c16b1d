"""From documents of the events container to fan-outs; pure and lazy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.dead_letters.poison import PoisonEvent
from core.errors import InvalidEventError
from core.model.documents import Cause, Envelope, parse_event
from core.model.order import order_key
from core.projecting.fan_out import FanOut

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from core.model.registry import ProjectionModule


def derive(
    module: ProjectionModule, documents: Iterable[Mapping[str, Any]]
) -> Iterator[FanOut | PoisonEvent]:
    """Yield the fan-out of each event and projection, in the order of the events.

    Each must be completed before the next one is requested. Events of other modules are passed by
    without being validated. An event that cannot be read is a poison event of the whole module.
    """
    for document in documents:
        event_type = document.get("type")
        projections = module.projections_by_type.get(str(event_type), ())
        if not projections and isinstance(event_type, str):
            continue
        order = ""
        try:
            envelope = Envelope.from_document(document)
            order = order_key(envelope).to_text()
            event = parse_event(envelope, module.source_types[envelope.type])
        except InvalidEventError as error:
            cause = Cause(None, document.get("streamId"), document.get("id"), order)
            blocks = any(projection.on_failure == "block" for projection in projections)
            yield PoisonEvent.from_error(module, cause, error, blocks=blocks)
        else:
            for projection in projections:
                yield FanOut(projection, envelope, event, order)
