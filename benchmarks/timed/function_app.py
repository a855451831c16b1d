"""The Azure Functions app of the example, with a writer that notes when it wrote what."""

import json
import os
import time
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import azure.functions as func

import projections
from core.application import Application
from core.functions.routes import register_routes
from core.functions.triggers import register_triggers
from core.projecting.processor import BatchResult
from core.services import Services
from core.writing.delivery import Delivery
from core.writing.writer import Writer
from core.writing.writes import Write

_NOTES = Path(os.environ["TIMED_NOTES"])
_handed = ContextVar("handed", default=0.0)


class TimedWriter(Writer):
    """Notes for each source event when its batch came, when writing began, when it was done."""

    async def write(self, writes: Iterable[Write], delivery: Delivery) -> None:
        """As `Writer`."""
        begun = time.time()
        lines: list[str] = []

        def note(durable: Sequence[Write]) -> None:
            now = time.time()
            times = {"handed": _handed.get(), "derived": begun, "written": now}
            lines.extend(json.dumps({"event": _source(each), **times}) for each in durable)
            delivery.on_durable(durable)

        await super().write(writes, replace(delivery, on_durable=note))
        _append(lines)


class TimedApplication(Application):
    """Notes when a batch is handed over."""

    @property
    def services(self) -> Services:
        """With a writer that takes notes."""
        if self._services is None:
            self._services = _timed(super().services)
        return self._services

    async def project(self, module: str, documents: Sequence[Any]) -> BatchResult:
        """As `Application`."""
        _handed.set(time.time())
        return await super().project(module, documents)


def _timed(services: Services) -> Services:
    writer = services.runner.writer
    timed = TimedWriter(**{each.name: getattr(writer, each.name) for each in fields(writer)})
    runner = replace(services.runner, writer=timed)
    return replace(services, runner=runner, pipeline=replace(services.pipeline, runner=runner))


def _append(lines: list[str]) -> None:
    with _NOTES.open("a", encoding="utf-8") as notes:
        notes.writelines(f"{each}\n" for each in lines)


def _source(write: Write) -> str:
    return str(json.loads(write.body)["meta"]["causationId"])


application = TimedApplication.discover(projections, os.environ)

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
register_triggers(app, application, os.environ)
register_routes(app, application)
