"""Where telemetry goes: to Application Insights, or to the console.

To be imported by processes that send telemetry only: OpenTelemetry's SDK takes a while to load.
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

_CONSOLE_SECONDS = 10
_AZURE_SECONDS = 60
_TRACE_BITS = (1 << 64) - 1


def configure_telemetry(settings: Settings) -> None:
    """Send spans and figures where the settings say, for the life of the process."""
    if settings.telemetry_exporter == "console":
        spans, figures, seconds = *_console(), _CONSOLE_SECONDS
    else:
        spans, figures, seconds = *_azure(settings), _AZURE_SECONDS
    resource = Resource.create({"service.name": settings.site_name})
    # What is kept is decided when a span ends, for only then it is known whether it failed.
    traces = TracerProvider(resource=resource, sampler=ALWAYS_ON)
    traces.add_span_processor(SamplingSpanProcessor(spans, settings.telemetry_sampling_ratio))
    trace.set_tracer_provider(traces)
    reader = PeriodicExportingMetricReader(figures, export_interval_millis=seconds * 1_000)
    metrics.set_meter_provider(MeterProvider([reader], resource))


class SamplingSpanProcessor(BatchSpanProcessor):
    """Exports a share of all traces whole, and every span that failed.

    Args:
        exporter: Takes the spans.
        share: Of traces, 0 to 1; told by the lower half of the trace's id, so that every process
            keeps the same ones (W3C Trace Context, section 3.2.2.3).
    """

    def __init__(self, exporter: SpanExporter, share: float) -> None:
        super().__init__(exporter)
        self._bound = share * _TRACE_BITS

    def on_end(self, span: ReadableSpan) -> None:
        """Keep it or drop it."""
        kept = span.context is not None and span.context.trace_id & _TRACE_BITS <= self._bound
        if kept or not span.status.is_ok:
            super().on_end(span)


def _console() -> tuple[SpanExporter, MetricExporter]:
    """A line of JSON for each span, and one for all figures."""
    spans = ConsoleSpanExporter(out=sys.stderr, formatter=lambda span: f"{span.to_json(None)}\n")
    figures = ConsoleMetricExporter(
        out=sys.stderr, formatter=lambda found: f"{found.to_json(None)}\n"
    )
    return spans, figures


def _azure(settings: Settings) -> tuple[SpanExporter, MetricExporter]:
    from azure.monitor.opentelemetry.exporter import (  # noqa: PLC0415 - it takes a third of a second
        AzureMonitorMetricExporter,
        AzureMonitorTraceExporter,
    )

    options: dict[str, Any] = {"connection_string": settings.require_app_insights()}
    if settings.app_insights_client_id is not None:
        from azure.identity import ManagedIdentityCredential  # noqa: PLC0415 - as above

        options["credential"] = ManagedIdentityCredential(client_id=settings.app_insights_client_id)
    return AzureMonitorTraceExporter(**options), AzureMonitorMetricExporter(**options)
