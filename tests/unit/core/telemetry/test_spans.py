"""What is told about the engine's work, and what never is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Status, StatusCode

from core.errors import SettingError
from core.model.registry import ProjectionModule
from core.settings import Settings
from core.telemetry.exporters import SamplingSpanProcessor
from tests.apps.follows.followship import followers
from tests.support import derived, followed

MODULE = ProjectionModule(name="followship", projections=(followers,))
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def derived_document(**meta: object) -> dict[str, Any]:
    document = followed(1, 2)
    document["meta"].update(meta)
    (write,), _ = derived(MODULE, document)
    report: dict[str, Any] = json.loads(write.body)
    return report


def test_a_derived_event_carries_the_trace_of_its_source() -> None:
    """As it is: what is written must not depend on who writes it, and when."""
    assert derived_document(traceparent=PARENT)["meta"]["traceparent"] == PARENT
    assert derived_document(traceparent=PARENT)["id"] == derived_document()["id"]


@pytest.mark.parametrize("wrong", [None, 7, "", "00-zz-01", {"a": 1}, PARENT + "-and-more"])
def test_what_is_no_trace_is_passed_over(wrong: object) -> None:
    """An event is not rejected for it."""
    assert "traceparent" not in derived_document(traceparent=wrong)["meta"]


class Kept(SpanExporter):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.spans += spans
        return SpanExportResult.SUCCESS


@pytest.mark.parametrize(
    ("share", "least", "most"), [(0.0, 0, 0), (0.5, 300, 700), (1.0, 1000, 1000)]
)
def test_a_share_of_traces_is_kept_and_every_failure(share: float, least: int, most: int) -> None:
    """Failures are rare, and what one looks for."""
    kept, provider = Kept(), TracerProvider()
    provider.add_span_processor(SamplingSpanProcessor(kept, share))
    tracer = provider.get_tracer("test")
    for nth in range(1000):
        tracer.start_span(f"well {nth}").end()
    failed = tracer.start_span("failed")
    failed.set_status(Status(StatusCode.ERROR))
    failed.end()
    provider.shutdown()

    names = [span.name for span in kept.spans]
    assert "failed" in names
    assert least <= len(names) - 1 <= most


def test_telemetry_goes_to_azure_only_where_it_is_told_how() -> None:
    """The identity is that of the setting that Azure's own tools read."""
    string = "InstrumentationKey=00000000-0000-0000-0000-000000000000"
    azure = Settings.from_environ(
        {
            "APPLICATIONINSIGHTS_CONNECTION_STRING": string,
            "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "ClientId=abc;Authorization=AAD",
        }
    )

    assert azure.telemetry_enabled
    assert azure.app_insights_client_id == "abc"
    assert string not in repr(azure)
    assert not Settings.from_environ({}).telemetry_enabled
    with pytest.raises(SettingError, match="APPLICATIONINSIGHTS_CONNECTION_STRING"):
        Settings.from_environ({"TelemetryExporter": "azuremonitor"}).require_app_insights()
