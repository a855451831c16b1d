"""The exporters of telemetry: to Application Insights, or to the console.

Only processes that send telemetry import this, because OpenTelemetry's SDK takes time to load.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace.export import SpanExporter

    from core.settings import Settings

_CONSOLE_INTERVAL_SECONDS = 10
_AZURE_INTERVAL_SECONDS = 60
_TRACE_BITS = (1 << 64) - 1


def configure_telemetry(settings: Settings) -> None:
    """Send spans and metrics to the exporter of the settings, for the life of the process."""
    if settings.telemetry_exporter == "console":
        spans, metric_exporter, seconds = *_console(), _CONSOLE_INTERVAL_SECONDS
    else:
        spans, metric_exporter, seconds = *_azure(settings), _AZURE_INTERVAL_SECONDS
    resource = Resource.create({"service.name": settings.site_name})
    # Sampling is decided when a span ends, because only then it is known whether it failed.
    traces = TracerProvider(resource=resource, sampler=ALWAYS_ON)
    traces.add_span_processor(SamplingSpanProcessor(spans, settings.telemetry_sampling_ratio))
    trace.set_tracer_provider(traces)
    reader = PeriodicExportingMetricReader(metric_exporter, export_interval_millis=seconds * 1_000)
    metrics.set_meter_provider(MeterProvider([reader], resource))


class SamplingSpanProcessor(BatchSpanProcessor):
    """Exports a part of all traces as a whole, and every span that failed.

    Args:
        exporter: The exporter of spans.
        ratio: The part of the traces, 0 to 1. It is decided by the lower half of the trace's id, so
            that every process exports the same ones (W3C Trace Context, section 3.2.2.3).
    """

    def __init__(self, exporter: SpanExporter, ratio: float) -> None:
        super().__init__(exporter)
        self._bound = ratio * _TRACE_BITS

    def on_end(self, span: ReadableSpan) -> None:
        """Export or drop a span."""
        is_sampled = span.context is not None and span.context.trace_id & _TRACE_BITS <= self._bound
        if is_sampled or not span.status.is_ok:
            super().on_end(span)


def _console() -> tuple[SpanExporter, MetricExporter]:
    """Return exporters that print a line of JSON for each span, and one for all metrics."""
    spans = ConsoleSpanExporter(out=sys.stderr, formatter=lambda span: f"{span.to_json(None)}\n")
    metric_exporter = ConsoleMetricExporter(
        out=sys.stderr, formatter=lambda data: f"{data.to_json(None)}\n"
    )
    return spans, metric_exporter


def _azure(settings: Settings) -> tuple[SpanExporter, MetricExporter]:
    from azure.monitor.opentelemetry.exporter import (  # noqa: PLC0415 - loading it takes a third of a second
        AzureMonitorMetricExporter,
        AzureMonitorTraceExporter,
    )

    options: dict[str, Any] = {"connection_string": settings.require_app_insights()}
    if settings.app_insights_client_id is not None:
        from azure.identity import ManagedIdentityCredential  # noqa: PLC0415 - as above

        options["credential"] = ManagedIdentityCredential(client_id=settings.app_insights_client_id)
    return AzureMonitorTraceExporter(**options), AzureMonitorMetricExporter(**options)
