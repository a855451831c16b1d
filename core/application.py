"""The application: its use cases, over services that are opened when they are first needed."""

from __future__ import annotations

import logging
import time
from secrets import token_hex
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from core.errors import SettingError, UnknownResourceError
from core.ids import key_id
from core.model.canonical import request_hash
from core.model.commands import parse_command
from core.model.entity_streams import entity_stream
from core.model.handlers import handler_of
from core.model.registry import Registry
from core.operations.dead_letters import DeadLetterOperations
from core.operations.health import HealthMonitor
from core.operations.status import StatusOperations
from core.services import HTTP_TIMEOUT_SECONDS, Services
from core.settings import Settings
from core.streams.commands import Execution, build_append, build_decision, decide
from core.streams.entity_reader import read_entity
from core.streams.folding import EntityState, fold_stream, in_one_page
from core.streams.keys import Appended, IdempotencyKey
from core.streams.pacer import Pacer
from core.streams.preconditions import position_with_tag
from core.telemetry.spans import batch_span, command_span, record_batch, traceparent
from core.throttling.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from types import ModuleType

    from core.model.documents import Document
    from core.model.entities import Entity
    from core.operations.health import Health
    from core.projecting.batch_result import BatchResult
    from core.streams.appends import Append
    from core.streams.deciding import Decision

logger = logging.getLogger(__name__)

_MAX_POSITION_WAIT_SECONDS = 5.0
"""The seconds for which a read waits until the stream has reached a position."""


class Application:
    """The use cases of an application, apart from how they are called.

    Args:
        registry: The declarations of the application.
        environ: The application settings, read when they are first needed.
        open_services: The function that opens the services.
    """

    def __init__(
        self,
        registry: Registry,
        environ: Mapping[str, str],
        *,
        open_services: Callable[[Settings], Services] = Services.open,
    ) -> None:
        self.registry = registry
        self._environ = environ
        self._open_services = open_services
        self._settings: Settings | None = None
        self._services: Services | None = None
        self._health = HealthMonitor(lambda: self.services, registry)

    @classmethod
    def discover(
        cls,
        package: ModuleType,
        environ: Mapping[str, str],
        *,
        open_services: Callable[[Settings], Services] = Services.open,
    ) -> Application:
        """Return the application that a package of projection modules declares.

        Raises:
            DefinitionError: If a module is wrong.
        """
        return cls(Registry.discover(package), environ, open_services=open_services)

    @property
    def settings(self) -> Settings:
        """The settings.

        Raises:
            SettingError: If one cannot be read, or names a projection that does not exist.
        """
        if self._settings is None:
            settings = Settings.from_environ(self._environ)
            for name in settings.request_unit_limits.keys() - self.registry.projections:
                raise SettingError("RequestUnitLimits", f"there is no projection {name!r}.")
            self._settings = settings
        return self._settings

    @property
    def services(self) -> Services:
        """The services, opened at the first use on the loop that is running then.

        Raises:
            SettingError: If the connection is missing.
        """
        if self._services is None:
            self._services = self._open_services(self.settings)
            if self.settings.telemetry_enabled:
                from core.telemetry.exporters import (  # noqa: PLC0415 - loaded only if it is used
                    configure_telemetry,
                )

                configure_telemetry(self.settings)
        return self._services

    @property
    def status(self) -> StatusOperations:
        """The operations that return what has been processed."""
        return StatusOperations(services=self.services, registry=self.registry)

    @property
    def dead_letters(self) -> DeadLetterOperations:
        """The operations on dead letters."""
        return DeadLetterOperations(
            services=self.services,
            registry=self.registry,
            replay_timeout_seconds=self.settings.invocation_timeout_seconds,
        )

    async def execute(
        self,
        name: str,
        body: bytes,
        *,
        idempotency_key: str | None = None,
        expected_position: int | None = None,
        expected_tag: str | None = None,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Appended:
        """Run a command, and return what it appended, which is durable then.

        Args:
            name: The name of the command.
            body: The fields of the command as JSON.
            idempotency_key: The key that makes repeating the command on its stream safe.
            expected_position: The position that the stream must have, None for any.
            expected_tag: The entity tag that the entity must have, None for any.
            headers: The headers of the request; `traceparent` names the trace it belongs to.

        Raises:
            UnknownResourceError: If there is no such command.
            RequestTooLargeError: If the body is over 1 MB.
            InvalidRequestError: If the body does not fit, or the command rejects the request.
            IdempotencyKeyReusedError: If the key was used for another request.
            PositionConflictError: If the stream does not have the expected position, or the entity
                does not have the expected tag.
            CosmosError, DeadlineExceededError: If the events cannot be stored, or it is not known
                whether they are.
        """
        model = self.registry.command(name)
        command = parse_command(model, body)
        key = None
        if idempotency_key is not None:
            key = IdempotencyKey(key_id(idempotency_key), request_hash(model, body))
        services = self.services  # opened before the span, which would not be exported otherwise
        with command_span(name, headers):
            execution = Execution(
                command=command,
                key=key,
                correlation_id=str(uuid4()),
                token=token_hex(8),
                deadline=Deadline.after(HTTP_TIMEOUT_SECONDS),
                traceparent=traceparent(),
            )
            entity = handler_of(model).entity
            if entity is None:
                append = build_append(execution, services.client.clock.now())
            else:
                append = build_decision(execution, entity)
            if append is None:
                return Appended()
            if expected_tag is not None:
                expected_position = await position_with_tag(
                    services.reader, self.registry, append, expected_tag, expected_position
                )
            if entity is None:
                return await services.appends.append(append, expected_position)
            return await self._decide(execution, append, entity, expected_position)

    async def load_entity(
        self, name: str, entity_id: str, minimum_position: int = 0
    ) -> EntityState[Entity]:
        """Return an entity, folded from its stream.

        Args:
            name: The name of the entity.
            entity_id: The id of the entity, in any spelling that its type accepts.
            minimum_position: The position that the stream must have reached.

        Raises:
            UnknownResourceError: If there is no such entity, which no event of its stream is about.
            PositionNotReachedError: If the stream does not reach the position within 5 s.
            UnreadableEventError: If one of its events cannot be read.
            CosmosError, DeadlineExceededError: If the stream cannot be read.
        """
        entity = self.registry.entity(name)
        try:
            stream = entity_stream(name, entity_id, self.registry.events.values())
        except ValueError:
            raise UnknownResourceError(f"There is no {name} {entity_id!r:.80}.") from None
        deadline = Deadline.after(HTTP_TIMEOUT_SECONDS)
        if minimum_position:
            wait_deadline = deadline.at_most(_MAX_POSITION_WAIT_SECONDS)
            await self.services.reader.await_position(stream, minimum_position, wait_deadline)
        reader, models = self.services.reader, self.registry.events
        state = await read_entity(reader, entity, stream, models, deadline)
        if state is None:
            raise UnknownResourceError(
                f"There is no {name} {entity_id!r}: no event of its stream has a reducer."
            )
        return state

    async def _decide(
        self,
        execution: Execution,
        append: Append,
        entity: type[Entity],
        expected_position: int | None,
    ) -> Appended:
        async def decision(documents: Sequence[Document], now: datetime) -> Decision:
            pages = in_one_page(documents)
            state = await fold_stream(entity, pages, self.registry.events, Pacer())
            present = state.entity if state else None
            return decide(execution, append.stream_id, present, now)

        return await self.services.decisions.execute(append, decision, expected_position)

    async def project(self, module: str, documents: Sequence[Mapping[str, Any]]) -> BatchResult:
        """Project a batch of the change feed until everything that it implies is durable.

        The documents are those that the host hands over. Where it rewrites dates, they are read.

        Raises:
            ProjectionBlockedError: If an event blocks the lease.
            DeadlineExceededError: If the deadline is reached; project the batch again.
            CosmosError: If Cosmos DB returns an error that is not retryable.
            SettingError: If the connection is missing.
        """
        started = time.monotonic()
        deadline = Deadline.after(self.settings.invocation_timeout_seconds)
        services, projections = self.services, self.registry.module(module)
        with batch_span(module, documents):
            await services.coverage.record(projections, self.registry.modules.values(), deadline)
            stored = await services.stored_documents.restore(projections, documents, deadline)
            result = await services.processor.process(projections, stored, deadline)
        seconds = time.monotonic() - started
        logger.info("batch.projected module=%s %s duration_seconds=%.3f", module, result, seconds)
        record_batch(
            module,
            documents,
            seconds=seconds,
            events=result.events,
            derived=result.derived,
            parked=result.parked,
        )
        return result

    async def check_health(self) -> Health:
        """Return whether settings and Cosmos DB are usable, and what is wrong."""
        return await self._health.check()

    async def close(self) -> None:
        """Close what was opened, if anything was."""
        services, self._services = self._services, None
        if services is not None:
            await services.close()
