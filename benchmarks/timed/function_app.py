"""The Azure Functions app of the example, with a writer that notes when it wrote what."""

import json
import os
import time
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path

import azure.functions as func
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind

from core.application import Application
from core.functions.routes import register_routes
from core.functions.triggers import register_triggers
from core.projecting.processor import ResultWriter
from core.services import Services
from core.settings import Settings
from core.throttling.deadline import Deadline
from core.throttling.stats import RequestStats
from core.writing.writes import Write, WriteResult, Written
from examples.followship import projections

_NOTES = Path(os.environ["TIMED_NOTES"])
_handed = ContextVar("handed", default=0.0)


@dataclass(frozen=True, kw_only=True)
class TimedWriter:
    """Notes for each source event when its batch came, when writing began, when it was done."""

    writer: ResultWriter

    async def write(
        self, writes: Iterable[Write], deadline: Deadline, stats: RequestStats
    ) -> AsyncGenerator[WriteResult, None]:
        """Yield the results of the writer."""
        begun = time.time()
        lines: list[str] = []
        try:
            async with aclosing(self.writer.write(writes, deadline, stats)) as results:
                async for result in results:
                    if isinstance(result, Written):
                        lines += [_note(write, begun) for write in result.writes]
                    yield result
        finally:
            _append(lines)


class BatchClock(SpanProcessor):
    """Notes when a batch is handed over, which is when its span starts."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Note the time if the span is that of a batch."""
        del parent_context
        if span.kind is SpanKind.CONSUMER:
            _handed.set(time.time())


def open_timed(settings: Settings) -> Services:
    """Return services with a writer that takes notes."""
    services = Services.open(settings)
    timed = TimedWriter(writer=services.processor.writer)
    return replace(services, processor=replace(services.processor, writer=timed))


def _append(lines: list[str]) -> None:
    with _NOTES.open("a", encoding="utf-8") as notes:
        notes.writelines(lines)


def _note(write: Write, begun: float) -> str:
    times = {"handed": _handed.get(), "derived": begun, "written": time.time()}
    return f"{json.dumps({'event': [write.cause.stream_id, write.cause.event_id], **times})}\n"


spans = TracerProvider()
spans.add_span_processor(BatchClock())
trace.set_tracer_provider(spans)

application = Application.discover(projections, os.environ, open_services=open_timed)

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
register_triggers(app, application, os.environ)
register_routes(app, application)
