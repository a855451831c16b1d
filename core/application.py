"""The application: its use cases, over one Cosmos client that is opened when first needed."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timezone
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from core.errors import InvalidEventError, SettingError, UnknownResourceError
from core.model.commands import parse_command
from core.model.documents import Envelope, parse_event
from core.model.entities import fold
from core.model.names import stream_id
from core.model.registry import Registry
from core.services import Services
from core.settings import Settings
from core.streams.commands import build_documents
from core.telemetry.spans import batch_span, command_span, record_batch, traceparent
from core.throttling.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import ModuleType

    from core.model.documents import Document
    from core.model.entities import Entity
    from core.model.events import Event
    from core.projecting.processor import BatchResult

logger = logging.getLogger(__name__)

HTTP_TIMEOUT_SECONDS = 60.0
"""Seconds that a caller of an HTTP function is kept waiting for a throttled account."""

HEALTH_TIMEOUT_SECONDS = 5.0
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
        self._services: Services | None = None

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
            settings = Settings.from_environ(self._environ)
            for name in settings.request_unit_limits.keys() - self.registry.projections:
                raise SettingError("RequestUnitCeilings", f"there is no projection {name!r}.")
            self._settings = settings
        return self._settings

    @property
    def services(self) -> Services:
        """The engine; opened at the first use, on the loop that is running then.

        Raises:
            SettingError: The connection is missing.
        """
        if self._services is None:
            self._services = Services.open(self.settings)
            if self.settings.telemetry_enabled:
                from core.telemetry.exporters import configure_telemetry  # noqa: PLC0415 - only where it is needed

                configure_telemetry(self.settings)
        return self._services

    async def execute(
        self,
        command: str,
        body: bytes,
        *,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> list[str]:
        """Run a command and return the ids of its events, which are durable then.

        Args:
            command: Its name.
            body: Its fields as JSON.
            idempotency_key: The idempotency key.
            headers: Of the request; `traceparent` says which trace it belongs to.

        Raises:
            UnknownResourceError: There is no such command.
            RequestTooLargeError: The body is over 1 MB.
            InvalidRequestError: The body does not fit, or the command refuses.
            IdempotencyKeyReusedError: The idempotency key was used for another request.
            CosmosError, DeadlineExceededError: The events could not be stored.
        """
        request, streams = (
            parse_command(self.registry.command(command), body),
            self.services.streams,
        )
        with command_span(command, headers):
            documents = build_documents(
                request,
                key=idempotency_key,
                new_id=uuid4,
                now=datetime.now(timezone.utc),
                traceparent=traceparent(),
            )
            if documents:
                stream = documents[0]["streamId"]
                await streams.append(stream, documents, Deadline.after(HTTP_TIMEOUT_SECONDS))
        return [document["id"] for document in documents]

    async def load_entity(self, name: str, entity_id: str) -> Entity:
        """An entity folded from its stream.

        Raises:
            UnknownResourceError: There is no such entity, or it has no events.
            CosmosError, DeadlineExceededError: The stream could not be read.
        """
        entity = self.registry.entity(name)
        try:
            stream = stream_id(name, entity_id)
        except ValueError as error:
            raise UnknownResourceError(f"There is no {name} of this id: {error}.") from None
        documents = await self.services.streams.read(stream, Deadline.after(HTTP_TIMEOUT_SECONDS))
        if not documents:
            raise UnknownResourceError(
                f"There is no {name} {entity_id!r}: its stream has no events."
            )
        return fold(entity, self._events(documents))

    async def project(self, module: str, documents: Sequence[Mapping[str, Any]]) -> BatchResult:
        """Project a batch of the change feed; return when all it implies is durable.

        Raises:
            DeadlineExceededError: Time ran out; the batch must be projected again.
            CosmosError: Retrying cannot help before something is corrected.
            SettingError: The connection is missing.
        """
        started = time.monotonic()
        deadline, pipeline = (
            Deadline.after(self.settings.invocation_timeout_seconds),
            self.services.pipeline,
        )
        with batch_span(module, documents):
            outcome = await pipeline.project(self.registry.module(module), documents, deadline)
        seconds = time.monotonic() - started
        _log(module, outcome, seconds)
        record_batch(
            module,
            documents,
            seconds=seconds,
            events=outcome.events,
            derived=outcome.derived,
            parked=outcome.parked,
        )
        return outcome

    async def check_health(self) -> None:
        """Return when the events container can be reached.

        Raises:
            SettingError: The connection is missing.
            CosmosError: It cannot be reached.
        """
        services = self.services
        await services.requests.send(
            f"reading container {self.settings.events_container}",
            lambda _: services.events.read(),
            partition="reads",
            deadline=Deadline.after(HEALTH_TIMEOUT_SECONDS),
            timeout_seconds=HEALTH_TIMEOUT_SECONDS,
        )

    async def close(self) -> None:
        """Close what was opened; may be called any number of times."""
        services, self._services = self._services, None
        if services is not None:
            await services.close()

    def _events(self, documents: Sequence[Document]) -> list[Event]:
        """The readable events in the order of their times.

        A derived event has its source's time, so time is the order that all streams share; it
        may have been stored later. Python's sort keeps events of equal time as they were stored.
        """
        found = []
        for raw in documents:
            try:
                envelope = Envelope.from_document(raw)
                model = self.registry.events.get(envelope.type)
                if model is not None:
                    found.append((envelope.time, parse_event(envelope, model)))
            except InvalidEventError:
                logger.warning("event.unreadable event=%s", raw.get("id"))
        return [event for _, event in sorted(found, key=lambda pair: pair[0])]


def _log(module: str, outcome: BatchResult, seconds: float) -> None:
    logger.info(
        "batch.projected module=%s events=%d derived=%d spared=%d parked=%d requests=%d "
        "throttled=%d waited=%.2f charge=%.1f seconds=%.3f",
        module,
        outcome.events,
        outcome.derived,
        outcome.spared,
        outcome.parked,
        outcome.stats.requests,
        outcome.stats.throttled_requests,
        outcome.stats.wait_seconds,
        outcome.stats.request_charge,
        seconds,
    )
