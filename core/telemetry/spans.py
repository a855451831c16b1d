"""Spans and metrics through the OpenTelemetry API.

Nothing is recorded until a process has configured an exporter (`core.telemetry.exporters`). Of an
event names and attributes hold the module of its type only, and of an error its type only.
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
"""The instrumentation scope of all spans and instruments."""

_MAX_LINKS = 32
"""The links from the span of a batch to the commands that its events come from."""

_tracer = trace.get_tracer(SCOPE)
_meter = metrics.get_meter(SCOPE)
_traces = TraceContextTextMapPropagator()

_events = _meter.create_counter(
    "projections.events.processed", "{event}", "Events of completed batches"
)
_derived = _meter.create_counter(
    "projections.events.derived", "{event}", "Derived events of completed batches"
)
_parked = _meter.create_counter(
    "projections.events.parked", "{event}", "Events that completed batches parked"
)
_batch_time = _meter.create_histogram("projections.batch.duration", "s", "Duration of a batch")
_lag = _meter.create_histogram(
    "projections.lag", "s", "Time from the storing of a batch's oldest event to its completion"
)
_charge = _meter.create_histogram(
    "azure.cosmosdb.client.operation.request_charge",
    "{request_unit}",
    "Request units consumed by the operation",
)
_throttled = _meter.create_counter(
    "projections.requests.throttled", "{request}", "Requests that were throttled"
)
_retried = _meter.create_counter(
    "projections.requests.retried", "{request}", "Requests that were retried"
)


@contextmanager
def command_span(name: str, headers: Mapping[str, str]) -> Iterator[None]:
    """Record the span of a command, as part of the trace that the host or the caller started."""
    is_traced = trace.get_current_span().get_span_context().is_valid
    context = None if is_traced else _traces.extract({k.lower(): v for k, v in headers.items()})
    with _span(f"command {name}", SpanKind.SERVER, context=context):
        yield


@contextmanager
def batch_span(module: str, documents: Iterable[Mapping[str, Any]]) -> Iterator[None]:
    """Record the span of a batch, with links to the commands that its events come from."""
    if isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        yield  # nothing is recorded
        return
    links = [Link(context) for context in _sources(documents)]
    with _span(f"project {module}", SpanKind.CONSUMER, links=links, attributes={"module": module}):
        yield


@contextmanager
def write_span(operation: str, container: str, count: int) -> Iterator[None]:
    """Record the span of a request that writes documents.

    Names and attributes are those of OpenTelemetry's conventions for Azure Cosmos DB.

    Args:
        operation: `execute_batch` for a transactional batch, `execute_bulk` for a bulk request.
        container: The name of the container.
        count: The number of operations in the request.
    """
    attributes: dict[str, str | int] = {
        "db.system.name": "azure.cosmosdb",
        "db.operation.name": operation,
        "db.collection.name": container,
    }
    if count > 1:
        attributes["db.operation.batch.size"] = count
    with _span(f"{operation} {container}", SpanKind.CLIENT, attributes=attributes):
        yield


def traceparent() -> str | None:
    """Return the current span as events store it, None if nothing is recorded."""
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
    """Count a completed batch."""
    labels = {"module": module}
    _events.add(events, labels)
    _derived.add(derived, labels)
    _parked.add(parked, labels)
    _batch_time.record(seconds, labels)
    times = (document.get("_ts") for document in documents)
    stored = [seconds for seconds in times if isinstance(seconds, (int, float))]
    if stored:
        _lag.record(max(0.0, time.time() - min(stored)), labels)


def record_charge(request_units: float, module: str) -> None:
    """Count the charge of a request."""
    _charge.record(request_units, {"module": module})


def record_retry(module: str, *, throttled: bool) -> None:
    """Count a request that is retried, and whether it was throttled."""
    labels = {"module": module}
    _retried.add(1, labels)
    if throttled:
        _throttled.add(1, labels)


@contextmanager
def _span(name: str, kind: SpanKind, **options: Any) -> Iterator[Span]:  # noqa: ANN401 - OpenTelemetry's options
    """Record a span that shows the type of an error and nothing else of it."""
    with _tracer.start_as_current_span(
        name, kind=kind, record_exception=False, set_status_on_exception=False, **options
    ) as span:
        try:
            yield span
        except BaseException as error:
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            span.set_attribute("error.type", type(error).__name__)
            raise


def _sources(documents: Iterable[Mapping[str, Any]]) -> list[trace.SpanContext]:
    """Return the spans that the events come from, without duplicates."""
    contexts: dict[str, trace.SpanContext] = {}
    for document in documents:
        meta = document.get("meta")
        parent = meta.get("traceparent") if isinstance(meta, dict) else None
        if isinstance(parent, str) and parent not in contexts:
            extracted = _traces.extract({"traceparent": parent})
            context = trace.get_current_span(extracted).get_span_context()
            if context.is_valid:
                contexts[parent] = context
        if len(contexts) == _MAX_LINKS:
            break
    return list(contexts.values())
