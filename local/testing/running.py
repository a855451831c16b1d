"""Whole applications inside a test: the embedded Cosmos DB, the Functions host, and real leases."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

import azure.functions as func

from core.application import Application
from core.cosmos.client import open_client
from core.cosmos.provisioning import provision
from core.dead_letters.queries import DeadLetterFilter
from core.errors import UnknownResourceError
from core.functions.routes import register_routes
from core.functions.triggers import register_triggers
from local.cosmos import CosmosOptions, EmbeddedCosmos
from local.host import FunctionsHost, HostOptions

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from types import ModuleType

    from core.dead_letters.dead_letter import DeadLetter
    from core.model.commands import Command
    from core.model.entities import Entity
    from core.streams.keys import Appended

EntityT = TypeVar("EntityT", bound="Entity")

_POLL_SECONDS = 0.02


class RunningApp:
    """An application that runs inside a test.

    Args:
        application: The application.
        host: The host that runs its functions.
        cosmos: The embedded Cosmos DB.

    Attributes:
        cosmos: The embedded Cosmos DB.
        url: The address of the HTTP functions.
    """

    def __init__(
        self, application: Application, host: FunctionsHost, cosmos: EmbeddedCosmos
    ) -> None:
        self._application = application
        self.cosmos = cosmos
        self.url = host.url

    async def send(self, command: Command, key: str | None = None) -> Appended:
        """Run a command, and return what it appended.

        Raises:
            RequestError: If the command is rejected.
        """
        body = command.model_dump_json().encode()
        name = type(command).stored_name
        return await self._application.execute(name, body, idempotency_key=key)

    async def read(self, entity: type[EntityT], entity_id: object) -> EntityT | None:
        """Return an entity, None if there is none."""
        name = entity.stored_name
        try:
            state = (await self._application.load_entity(name, str(entity_id))).entity
        except UnknownResourceError:
            return None
        if not isinstance(state, entity):
            raise TypeError(f"Entity {name} is {type(state)}, not {entity}.")
        return state

    async def dead_letters(self) -> Sequence[DeadLetter]:
        """Return the dead letters that are not discarded, up to 200."""
        operations = self._application.dead_letters
        page = await operations.page(DeadLetterFilter())
        return [await operations.get(one.id) for one in page.dead_letters]

    async def settled(self, seconds: float = 20.0, *, dead_letters: int = 0) -> None:
        """Return once two looks in a row show every module caught up at the same checkpoints.

        One look can miss what was derived meanwhile.

        Args:
            seconds: The longest time that it may take.
            dead_letters: The number of dead letters that there must be then.

        Raises:
            AssertionError: If it takes longer, with the modules that have not caught up, or there
                are other dead letters, with their reasons and tracebacks.
        """
        deadline, previous = time.monotonic() + seconds, None
        while True:
            modules = (await self._application.status.report()).projections
            waiting = [module.module for module in modules if not module.caught_up]
            checkpoints = [
                (lease.id, lease.checkpoint) for module in modules for lease in module.leases
            ]
            if not waiting and checkpoints == previous:
                await self._check_dead_letters(dead_letters)
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"Not caught up after {seconds:g} s: {waiting or 'changing'}.")
            previous = None if waiting else checkpoints
            await asyncio.sleep(_POLL_SECONDS)

    async def _check_dead_letters(self, expected: int) -> None:
        present = await self.dead_letters()
        if len(present) != expected:
            texts = [f"{one.reason}\n{one.traceback}" for one in present]
            raise AssertionError(
                "\n".join([f"{len(present)} dead letters, expected {expected}", *texts])
            )


@asynccontextmanager
async def running(
    package: ModuleType, *, partitions: int = 1, throughput: int | None = None
) -> AsyncIterator[RunningApp]:
    """Run an application over a fresh database.

    Args:
        package: The package of the projection modules.
        partitions: The number of physical partitions of each container.
        throughput: The RU/s of each container, None for no limit.
    """
    options = CosmosOptions(port=0, partitions=partitions, throughput=throughput)
    async with EmbeddedCosmos(options) as cosmos:
        environ = {
            "CosmosConnection": cosmos.connection_string,
            "FeedPollDelayMilliseconds": "20",
        }
        application = Application.discover(package, environ)
        async with open_client(application.settings.require_connection()) as client:
            await provision(client, application.settings)
        app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
        register_triggers(app, application, environ)
        register_routes(app, application)
        try:
            async with FunctionsHost(
                HostOptions(port=0, lease_expiration=2.0), environ, app
            ) as host:
                yield RunningApp(application, host, cosmos)
        finally:
            await application.close()
