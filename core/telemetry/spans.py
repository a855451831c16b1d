"""What the engine tells about itself: spans and figures, through the OpenTelemetry API.

Nothing is recorded until a process has set up where it goes (`core.telemetry.exporters`). Neither
names nor attributes hold anything of an event but its type's module, and never an error's message.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry import metrics, trace
from opentelemetry.trace import Link, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from opentelemetry.trace import Span

SCOPE = "event-projections"
"""Of all spans and instruments."""

_MOST_LINKS = 32
"""Of a batch's span to the commands that its events come from."""

_tracer = trace.get_tracer(SCOPE)
_meter = metrics.get_meter(SCOPE)
_traces = TraceContextTextMapPropagator()

_events = _meter.create_counter("projections.events", "{event}", "Events of completed batches")
_derived = _meter.create_counter("projections.derived", "{event}", "Derived events, durable")
_parked = _meter.create_counter("projections.parked", "{event}", "Events that were parked")
_batch_time = _meter.create_histogram("projections.batch.duration", "s", "Time of a batch")
_lag = _meter.create_histogram(
    "projections.lag", "s", "From the storing of a batch's oldest event to its completion"
)
_charge = _meter.create_counter("projections.request_units", "{RU}", "Request units of writes")
_throttled = _meter.create_counter("projections.throttled", "{answer}", "Answers to wait (429)")
_retried = _meter.create_counter("projections.retried", "{request}", "Requests tried again")


@contextmanager
def command_span(name: str, headers: Mapping[str, str]) -> Iterator[None]:
    """The span of a command: part of the trace that the host, or the caller, began."""
    host = trace.get_current_span().get_span_context().is_valid
    context = None if host else _traces.extract({k.lower(): v for k, v in headers.items()})
    with _span(f"command {name}", SpanKind.SERVER, context=context):
        yield


@contextmanager
def batch_span(module: str, documents: Iterable[Mapping[str, Any]]) -> Iterator[None]:
    """The span of a batch, linked to the commands that its events come from."""
    if not _recording():
        yield
        return
    links = [Link(each) for each in _sources(documents)]
    with _span(f"project {module}", SpanKind.CONSUMER, links=links, attributes={"module": module}):
        yield


@contextmanager
def write_span(form: str, operations: int) -> Iterator[None]:
    """The span of a request that writes so many documents, in one of the two batch forms."""
    attributes = {"form": form, "operations": operations}
    with _span("write", SpanKind.CLIENT, attributes=attributes):
        yield


def traceparent() -> str | None:
    """The current span, as events carry it; None where nothing is recorded."""
    carrier: dict[str, str] = {}
    _traces.inject(carrier)
    return carrier.get("traceparent")


def record_batch(
    module: str,
    documents: Iterable[Mapping[str, Any]],
    *,
    seconds: float,
    events: int,
    derived: int,
    parked: int,
) -> None:
    """Count a batch that is completed."""
    labels = {"module": module}
    _events.add(events, labels)
    _derived.add(derived, labels)
    _parked.add(parked, labels)
    _batch_time.record(seconds, labels)
    stored = [each["_ts"] for each in documents if isinstance(each.get("_ts"), (int, float))]
    if stored:
        _lag.record(max(0.0, time.time() - min(stored)), labels)


def record_charge(request_units: float, module: str) -> None:
    """Count what a request cost."""
    _charge.add(request_units, {"module": module})


def record_retry(module: str, *, throttled: bool) -> None:
    """Count a request that is tried again, and whether it was throttled."""
    labels = {"module": module}
    _retried.add(1, labels)
    if throttled:
        _throttled.add(1, labels)


@contextmanager
def _span(name: str, kind: SpanKind, **options: Any) -> Iterator[Span]:  # noqa: ANN401 - OpenTelemetry's options
    """A span that tells the type of an error, and nothing else of it."""
    with _tracer.start_as_current_span(
        name, kind=kind, record_exception=False, set_status_on_exception=False, **options
    ) as span:
        try:
            yield span
        except BaseException as error:
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            span.set_attribute("error.type", type(error).__name__)
            raise


def _recording() -> bool:
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def _sources(documents: Iterable[Mapping[str, Any]]) -> list[trace.SpanContext]:
    """The spans that the events come from, each once."""
    found: dict[str, trace.SpanContext] = {}
    for document in documents:
        meta = document.get("meta")
        parent = meta.get("traceparent") if isinstance(meta, dict) else None
        if isinstance(parent, str) and parent not in found:
            context = _traces.extract({"traceparent": parent})
            source = trace.get_current_span(context).get_span_context()
            if source.is_valid:
                found[parent] = source
        if len(found) == _MOST_LINKS:
            break
    return list(found.values())
