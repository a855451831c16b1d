"""The host: loads an app, runs its triggers, serves its routes, and stops them all cleanly."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import azure.functions as func
from aiohttp import web

from local.host.bindings import CosmosTrigger, HttpTrigger, TimerTrigger, Trigger, declared
from local.host.configuration import HostConfiguration
from local.host.http import HttpFunctions
from local.host.invocation import Invoker
from local.host.leases import LeaseTiming
from local.host.processor import Processor
from local.host.rest import CosmosRest
from local.host.settings import Account, HostError
from local.host.timers import Timer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

_DRAIN_SECONDS = 7.0
_LEAVE_SECONDS = 1.5
"""The seconds in which leases are released after that: a stop takes at most ten in all."""

_CUT_OFF_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class HostOptions:
    """How the host runs.

    Attributes:
        folder: Of the app: `function_app.py`, `host.json`.
        host: Address to listen on.
        port: Port to listen on; 0 for a free one.
        function_key: Key that functions of level function or admin ask for.
        lease_expiration: Seconds until the leases of a killed host are taken over, for triggers
            that declare no intervals. Azure has 60; acquiring and renewing keep its proportions.
    """

    folder: Path = field(default_factory=Path.cwd)
    host: str = "127.0.0.1"
    port: int = 7071
    function_key: str = "local"
    lease_expiration: float = 12.0


class TriggerHost:
    """Runs a Functions app; an async context manager.

    Args:
        options: How to run it.
        settings: Application settings.
        app: The app, if it is not to be loaded from the folder.
    """

    def __init__(
        self,
        options: HostOptions,
        settings: Mapping[str, str],
        app: func.FunctionApp | None = None,
    ) -> None:
        self._options = options
        self._settings = settings
        self._app = app
        self._configuration = HostConfiguration.from_folder(options.folder, settings)
        self._invoker = Invoker(self._configuration.function_timeout)
        self._runner: web.AppRunner | None = None
        self._listeners: list[Processor | Timer] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.port = options.port

    @property
    def url(self) -> str:
        """The address of the HTTP functions."""
        return f"http://{self._options.host}:{self.port}"

    async def start(self) -> None:
        """Load the app, start its triggers, and serve its routes.

        Raises:
            HostError: If the app cannot be loaded or declares what cannot be run.
            OSError: If the port is taken.
        """
        triggers = declared(self._app or load_app(self._options.folder), self._settings)
        self._listeners = [
            *(self._processor(each) for each in triggers if isinstance(each, CosmosTrigger)),
            *(self._timer(each, triggers) for each in triggers if isinstance(each, TimerTrigger)),
        ]
        await self._listen([each for each in triggers if isinstance(each, HttpTrigger)])
        self._tasks = [
            asyncio.create_task(listener.run(), name=f"trigger {number}")
            for number, listener in enumerate(self._listeners)
        ]

    async def wait(self) -> None:
        """Return never; raise what ends a trigger, which nothing does but a fault of the host."""
        if not self._tasks:
            await asyncio.Event().wait()
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def stop(self) -> None:
        """Stop serving, let batches in flight end, and release the leases; safe to call twice."""
        await self._stop(_DRAIN_SECONDS)

    async def cut_off(self) -> None:
        """Stop as Azure does at SIGTERM, and return when the calls that run have ended.

        Nothing waits for them any more: the leases are released at once and without a checkpoint,
        while Python goes on writing.
        """
        for listener in self._listeners:
            listener.stop()
        self._invoker.cut_off()
        await self._stop(_CUT_OFF_SECONDS)
        await self._invoker.finish()

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()

    async def _stop(self, drain_seconds: float) -> None:
        runner, self._runner = self._runner, None
        tasks, self._tasks = self._tasks, []
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.stop()
        if runner is not None:
            tasks.append(asyncio.create_task(runner.cleanup(), name="stop serving"))
        if not tasks:
            return
        _, pending = await asyncio.wait(tasks, timeout=drain_seconds)
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending, timeout=_LEAVE_SECONDS)

    async def _listen(self, triggers: list[HttpTrigger]) -> None:
        functions = HttpFunctions(
            triggers,
            self._invoker,
            self._configuration,
            function_key=self._options.function_key,
        )
        app = functions.application()
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_DRAIN_SECONDS / 2)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._options.host, self._options.port).start()
        except OSError:
            await self.stop()
            raise
        self.port = self._runner.addresses[0][1]

    def _processor(self, trigger: CosmosTrigger) -> Processor:
        where = f"the trigger of function {trigger.function.name}"
        return Processor(
            trigger,
            Account.of(trigger.connection, self._settings, where),
            Account.of(trigger.lease_connection, self._settings, where),
            self._timing(trigger),
            self._invoker,
            rewrites_dates=self._configuration.rewrites_dates,
        )

    def _timing(self, trigger: CosmosTrigger) -> LeaseTiming:
        scaled = LeaseTiming.scaled(self._options.lease_expiration)
        return LeaseTiming(
            acquire=trigger.acquire or scaled.acquire,
            renew=trigger.renew or scaled.renew,
            expiration=trigger.expiration or scaled.expiration,
        )

    def _timer(self, trigger: TimerTrigger, triggers: list[Trigger]) -> Timer:
        """Return what runs a timer; its lock is in the lease container of the first feed.

        Raises:
            HostError: If the app has no Cosmos DB trigger.
        """
        feeds = [each for each in triggers if isinstance(each, CosmosTrigger)]
        where = f"the timer of function {trigger.function.name}"
        if not feeds:
            raise HostError(
                f"For {where} the local host needs a Cosmos DB trigger in the app: its lease "
                "container holds the lock, so that one host at a time runs the timer."
            )
        account = Account.of(feeds[0].lease_connection, self._settings, where)
        timing = LeaseTiming.scaled(self._options.lease_expiration)
        return Timer(trigger, CosmosRest(account), feeds[0].lease_link, timing, self._invoker)


def load_app(folder: Path) -> func.FunctionApp:
    """The app that the folder's `function_app.py` defines.

    Raises:
        HostError: There is none.
    """
    sys.path.insert(0, str(folder.resolve()))
    try:
        module = importlib.import_module("function_app")
    except ModuleNotFoundError as error:
        if error.name != "function_app":
            raise
        raise HostError(f"There is no function_app.py in {folder.resolve()}.") from None
    found = [value for value in vars(module).values() if isinstance(value, func.FunctionApp)]
    if not found:
        raise HostError("function_app.py defines no azure.functions.FunctionApp.")
    return found[0]


def publish(settings: Mapping[str, str]) -> None:
    """Make the settings visible to the app, which reads its environment."""
    os.environ.update(settings)
