"""Telemetry that is written to the console, as a process of its own writes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from local.cosmos import CosmosOptions, run_in_thread
from tests.support import user

ROOT = Path(__file__).parents[3]
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"

SCRIPT = """
import asyncio, json, os, sys
from tests.apps import follows
from core.application import Application
from core.cosmos.client import open_client
from core.cosmos.provisioning import provision

async def main():
    application = Application.discover(follows, os.environ)
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


def test_the_console_shows_the_way_from_a_command_to_its_derived_event() -> None:
    """One trace, whose spans hold no payload; the figures when the process ends."""
    with run_in_thread(CosmosOptions(port=0)) as server:
        environ = {"CosmosConnection": server.connection_string, "TelemetryExporter": "console"}
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
    spans = {span["name"]: span for span in told if "name" in span}
    assert spans["command follow"]["context"]["trace_id"] == f"0x{TRACE}"
    assert spans["project followship"]["links"][0]["context"]["trace_id"] == f"0x{TRACE}"
    write = spans["execute_bulk events"]
    assert write["parent_id"] == spans["project followship"]["context"]["span_id"]
    assert write["attributes"]["db.system.name"] == "azure.cosmosdb"
    assert write["attributes"]["db.operation.name"] == "execute_bulk"
    assert write["attributes"]["db.collection.name"] == "events"
    metas = [event["meta"]["traceparent"] for event in json.loads(done.stdout)]
    assert len(set(metas)) == 1
    assert TRACE in metas[0]
    for name in ("projections.events.processed", "azure.cosmosdb.client.operation.request_charge"):
        assert name in done.stderr
    for name in ("projections.batch.duration", "projections.lag"):
        assert name in done.stderr
    assert str(user(1)) not in done.stderr
