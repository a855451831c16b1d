"""The application: its use cases, over one Cosmos client that is opened when first needed."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timezone
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from core.cosmos.requests import answered
from core.errors import InvalidEventError, SettingError, UnknownNameError
from core.model.commands import read_command
from core.model.documents import Envelope, read_event
from core.model.entities import fold
from core.model.names import stream_id
from core.model.registry import Registry
from core.services import Engine
from core.settings import Settings
from core.streams.commands import documents_of
from core.telemetry.spans import batch_span, command_span, note_batch, traceparent
from core.throttling.deadline import Budget

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

    from core.model.documents import Document
    from core.model.entities import Entity
    from core.model.events import Event
    from core.projecting.processor import Outcome

logger = logging.getLogger(__name__)

REQUEST_SECONDS = 60.0
"""Seconds that a caller of an HTTP function is kept waiting for a throttled account."""

HEALTH_SECONDS = 5.0
"""Seconds until health gives up on Cosmos DB."""


class Application:
    """What the functions do, apart from how they are called.

    Args:
        registry: What the application consists of.
        environ: Application settings, read when first needed.
    """

    def __init__(self, registry: Registry, environ: Mapping[str, str]) -> None:
        self.registry = registry
        self._environ = environ
        self._settings: Settings | None = None
        self._engine: Engine | None = None

    @classmethod
    def discover(cls, package: ModuleType, environ: Mapping[str, str]) -> Application:
        """The application that a package of projection modules declares.

        Raises:
            DefinitionError: A module is wrong.
        """
        return cls(Registry.discover(package), environ)

    @property
    def settings(self) -> Settings:
        """The settings.

        Raises:
            SettingError: One cannot be read, or is about a projection that does not exist.
        """
        if self._settings is None:
            settings = Settings.read(self._environ)
            for name in settings.ceilings.keys() - self.registry.projections:
                raise SettingError("RequestUnitCeilings", f"there is no projection {name!r}.")
            self._settings = settings
        return self._settings

    @property
    def engine(self) -> Engine:
        """The engine; opened at the first use, on the loop that is running then.

        Raises:
            SettingError: The connection is missing.
        """
        if self._engine is None:
            self._engine = Engine.open(self.settings)
            if self.settings.sends_telemetry:
                from core.telemetry.exporters import set_up  # noqa: PLC0415 - only where it is needed

                set_up(self.settings)
        return self._engine

    async def execute(
        self,
        command: str,
        body: bytes,
        *,
        key: str | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> list[str]:
        """Run a command and return the ids of its events, which are durable then.

        Args:
            command: Its name.
            body: Its fields as JSON.
            key: The idempotency key.
            headers: Of the request; `traceparent` says which trace it belongs to.

        Raises:
            UnknownNameError: There is no such command.
            RequestTooLargeError: The body is over 1 MB.
            InvalidRequestError: The body does not fit, or the command refuses.
            KeyReusedError: The idempotency key was used for another request.
            CosmosError, BudgetSpentError: The events could not be stored.
        """
        request, streams = read_command(self.registry.command(command), body), self.engine.streams
        with command_span(command, headers):
            documents = documents_of(
                request,
                key=key,
                new_id=uuid4,
                now=datetime.now(timezone.utc),
                traceparent=traceparent(),
            )
            if documents:
                stream = documents[0]["streamId"]
                await streams.append(stream, documents, Budget.of(REQUEST_SECONDS))
        return [document["id"] for document in documents]

    async def entity(self, name: str, entity_id: str) -> Entity:
        """An entity folded from its stream.

        Raises:
            UnknownNameError: There is no such entity, or it has no events.
            CosmosError, BudgetSpentError: The stream could not be read.
        """
        entity = self.registry.entity(name)
        try:
            stream = stream_id(name, entity_id)
        except ValueError as error:
            raise UnknownNameError(f"There is no {name} of this id: {error}.") from None
        documents = await self.engine.streams.read(stream, Budget.of(REQUEST_SECONDS))
        if not documents:
            raise UnknownNameError(f"There is no {name} {entity_id!r}: its stream has no events.")
        return fold(entity, self._events(documents))

    async def project(self, module: str, documents: Sequence[Mapping[str, Any]]) -> Outcome:
        """Project a batch of the change feed; return when all it implies is durable.

        Raises:
            BudgetSpentError: Time ran out; the batch must be projected again.
            CosmosError: Retrying cannot help before something is corrected.
            SettingError: The connection is missing.
        """
        started = time.monotonic()
        budget, pipeline = Budget.of(self.settings.budget), self.engine.pipeline
        with batch_span(module, documents):
            outcome = await pipeline.project(self.registry.module(module), documents, budget)
        seconds = time.monotonic() - started
        _log(module, outcome, seconds)
        note_batch(
            module,
            documents,
            seconds=seconds,
            events=outcome.events,
            derived=outcome.derived,
            parked=outcome.parked,
        )
        return outcome

    async def check(self) -> None:
        """Return when the events container can be reached.

        Raises:
            SettingError: The connection is missing.
            CosmosError: It cannot be reached.
        """

        async def read() -> None:
            container = self.engine.events
            await answered(f"reading container {self.settings.events}", container.read())

        await self.engine.read(read, Budget.of(HEALTH_SECONDS))

    async def close(self) -> None:
        """Close what was opened; may be called any number of times."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.close()

    def _events(self, documents: Sequence[Document]) -> list[Event]:
        """The readable events in the order of their times.

        A derived event has its source's time, so time is the order that all streams share; it
        may have been stored later. Python's sort keeps events of equal time as they were stored.
        """
        found = []
        for raw in documents:
            try:
                envelope = Envelope.read(raw)
                model = self.registry.events.get(envelope.type)
                if model is not None:
                    found.append((envelope.time, read_event(envelope, model)))
            except InvalidEventError:
                logger.warning("event.unreadable event=%s", raw.get("id"))
        return [event for _, event in sorted(found, key=lambda pair: pair[0])]


def _log(module: str, outcome: Outcome, seconds: float) -> None:
    logger.info(
        "batch.projected module=%s events=%d derived=%d spared=%d parked=%d requests=%d "
        "throttled=%d waited=%.2f charge=%.1f seconds=%.3f",
        module,
        outcome.events,
        outcome.derived,
        outcome.spared,
        outcome.parked,
        outcome.effort.requests,
        outcome.effort.throttled,
        outcome.effort.waited,
        outcome.effort.charge,
        seconds,
    )
