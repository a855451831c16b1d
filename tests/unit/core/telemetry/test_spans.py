"""What is told about the engine's work, and what never is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Status, StatusCode

from core.errors import SettingError
from core.model.registry import ProjectionModule
from core.projecting.derivation import derive
from core.settings import Settings
from core.telemetry.exporters import SamplingSpanProcessor
from local.cosmos import Options, run_in_thread
from projections.followship import followers
from tests.support import drawn, followed, user

ROOT = Path(__file__).parents[4]
MODULE = ProjectionModule(name="followship", projections=(followers,))
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"

SCRIPT = """
import asyncio, json, os, sys
import projections
from core.application import Application
from core.cosmos.client import open_client
from core.cosmos.provisioning import provision

async def main():
    application = Application.discover(projections, os.environ)
    async with open_client(application.settings.require_connection()) as client:
        await provision(client, application.settings)
        body = json.dumps({"user_id": sys.argv[1], "to_follow": sys.argv[2]}).encode()
        await application.execute("follow", body, headers={"traceparent": sys.argv[3]})
        events = client.get_database_client("projections").get_container_client("events")
        stored = [each async for each in events.query_items("SELECT * FROM c")]
        await application.project("followship", stored)
        print(json.dumps([each async for each in events.query_items("SELECT * FROM c")]))
    await application.close()

asyncio.run(main())
"""


def derived(**meta: object) -> dict[str, Any]:
    document = followed(1, 2)
    document["meta"].update(meta)
    (write,) = drawn(derive(MODULE, [document], max_hops=16))
    found: dict[str, Any] = json.loads(write.body)  # type: ignore[union-attr] # no poison
    return found


def test_a_derived_event_carries_the_trace_of_its_source() -> None:
    """As it is: what is written must not depend on who writes it, and when."""
    assert derived(traceparent=PARENT)["meta"]["traceparent"] == PARENT
    assert derived(traceparent=PARENT)["id"] == derived()["id"]


@pytest.mark.parametrize("wrong", [None, 7, "", "00-zz-01", {"a": 1}, PARENT + "-and-more"])
def test_what_is_no_trace_is_passed_over(wrong: object) -> None:
    """An event is not refused for it."""
    assert "traceparent" not in derived(traceparent=wrong)["meta"]


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

    names = [each.name for each in kept.spans]
    assert "failed" in names
    assert least <= len(names) - 1 <= most


def test_the_console_shows_the_way_from_a_command_to_its_derived_event() -> None:
    """One trace, whose spans hold no payload; the figures when the process ends."""
    with run_in_thread(Options(port=0)) as server:
        environ = {"CosmosConnection": server.connection_string, "Telemetry": "console"}
        done = subprocess.run(  # noqa: S603 - our own code
            [sys.executable, "-c", SCRIPT, str(user(1)), str(user(2)), PARENT],
            cwd=ROOT,
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr

    told = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    spans = {each["name"]: each for each in told if "name" in each}
    assert spans["command follow"]["context"]["trace_id"] == f"0x{TRACE}"
    assert spans["project followship"]["links"][0]["context"]["trace_id"] == f"0x{TRACE}"
    assert spans["write"]["parent_id"] == spans["project followship"]["context"]["span_id"]
    metas = [each["meta"]["traceparent"] for each in json.loads(done.stdout)]
    assert len(set(metas)) == 1
    assert TRACE in metas[0]
    for name in ("projections.events", "projections.derived", "projections.request_units"):
        assert name in done.stderr
    for name in ("projections.batch.duration", "projections.lag"):
        assert name in done.stderr
    assert str(user(1)) not in done.stderr


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
        Settings.from_environ({"Telemetry": "azure"}).require_app_insights()
