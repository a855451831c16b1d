"""From the documents of a stream to its events; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core.errors import InvalidEventError
from core.model.documents import Envelope, is_event, parse_event
from core.model.order import order_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from core.model.events import Event
    from core.model.order import OrderKey


def ordered_events(
    documents: Iterable[Mapping[str, Any]], models: Mapping[str, type[Event]]
) -> tuple[list[Event], list[Any]]:
    """Return the events in the order of `OrderKey`, and the ids of those that cannot be read.

    Key documents and the stubs of erased events are passed over.
    """
    events: list[tuple[OrderKey, Event]] = []
    invalid: list[Any] = []
    for document in filter(is_event, documents):
        try:
            envelope = Envelope.from_document(document)
            model = models.get(envelope.type)
            if model is not None:
                events.append((order_key(envelope), parse_event(envelope, model)))
        except InvalidEventError:
            invalid.append(document.get("id"))
    return [event for _, event in sorted(events, key=lambda pair: pair[0])], invalid
