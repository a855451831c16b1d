"""The host, which loads an app, runs its triggers, serves its routes and stops cleanly."""

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

from local.host.bindings import CosmosTrigger, HttpTrigger, TimerTrigger, Trigger, find_triggers
from local.host.configuration import HostConfiguration
from local.host.http import HttpFunctions
from local.host.invocation import Invoker
from local.host.leases import LeaseIntervals
from local.host.processor import ChangeFeedProcessor
from local.host.rest import CosmosRestClient
from local.host.settings import Account, HostError
from local.host.timers import Timer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

_DRAIN_TIMEOUT_SECONDS = 7.0
_RELEASE_TIMEOUT_SECONDS = 1.5
"""The time to release leases after draining; a stop takes at most ten seconds in all."""

_CUT_OFF_TIMEOUT_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class HostOptions:
    """The options of the host.

    Attributes:
        folder: The folder of the app, with `function_app.py` and `host.json`.
        host: The address to listen on.
        port: The port to listen on, or 0 for a free one.
        function_key: The key that functions of level function or admin require.
        lease_expiration: The seconds after which the leases of a killed host expire, for triggers
            that declare no intervals. Azure's default is 60; the intervals of acquisition and
            renewal are scaled with it.
    """

    folder: Path = field(default_factory=Path.cwd)
    host: str = "127.0.0.1"
    port: int = 7071
    function_key: str = "local"
    lease_expiration: float = 12.0


class FunctionsHost:
    """Runs a Functions app; an asynchronous context manager.

    Args:
        options: The options.
        settings: The application settings.
        app: The app; by default it is loaded from the folder.
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
        self._listeners: list[ChangeFeedProcessor | Timer] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.port = options.port

    @property
    def url(self) -> str:
        """The address of the HTTP functions."""
        return f"http://{self._options.host}:{self.port}"

    async def start(self) -> None:
        """Load the app, start its triggers, and serve its routes.

        Raises:
            HostError: If the app cannot be loaded, or has a trigger that is not supported.
            OSError: If the port is in use.
        """
        triggers = find_triggers(self._app or load_app(self._options.folder), self._settings)
        self._listeners = [
            *(
                self._processor(trigger)
                for trigger in triggers
                if isinstance(trigger, CosmosTrigger)
            ),
            *(
                self._timer(trigger, triggers)
                for trigger in triggers
                if isinstance(trigger, TimerTrigger)
            ),
        ]
        await self._listen([trigger for trigger in triggers if isinstance(trigger, HttpTrigger)])
        self._tasks = [
            asyncio.create_task(listener.run(), name=f"trigger {number}")
            for number, listener in enumerate(self._listeners)
        ]

    async def wait(self) -> None:
        """Wait forever; raise the exception of a trigger that ends because of a bug in the host."""
        if not self._tasks:
            await asyncio.Event().wait()
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def stop(self) -> None:
        """Stop serving, wait for batches in flight, and release the leases."""
        await self._stop(_DRAIN_TIMEOUT_SECONDS)

    async def cut_off(self) -> None:
        """Stop as Azure does on SIGTERM, and return when the running calls have ended.

        The host does not wait for the calls: it releases the leases at once, without checkpoints,
        while the functions continue.
        """
        for listener in self._listeners:
            listener.stop()
        self._invoker.cut_off()
        await self._stop(_CUT_OFF_TIMEOUT_SECONDS)
        await self._invoker.finish()

    async def __aenter__(self) -> Self:
        """Start the host."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the host."""
        await self.stop()

    async def _stop(self, timeout_seconds: float) -> None:
        runner, self._runner = self._runner, None
        tasks, self._tasks = self._tasks, []
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.stop()
        if runner is not None:
            tasks.append(asyncio.create_task(runner.cleanup(), name="stop serving"))
        if not tasks:
            return
        _, pending = await asyncio.wait(tasks, timeout=timeout_seconds)
        for task in pending:
            task.cancel()
        if pending:
            await asyncio.wait(pending, timeout=_RELEASE_TIMEOUT_SECONDS)

    async def _listen(self, triggers: list[HttpTrigger]) -> None:
        functions = HttpFunctions(
            triggers,
            self._invoker,
            self._configuration,
            function_key=self._options.function_key,
        )
        app = functions.application()
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=_DRAIN_TIMEOUT_SECONDS / 2
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._options.host, self._options.port).start()
        except OSError:
            await self.stop()
            raise
        self.port = self._runner.addresses[0][1]

    def _processor(self, trigger: CosmosTrigger) -> ChangeFeedProcessor:
        referrer = f"the trigger of function {trigger.function.name}"
        return ChangeFeedProcessor(
            trigger,
            Account.from_setting(trigger.connection, self._settings, referrer),
            Account.from_setting(trigger.lease_connection, self._settings, referrer),
            self._intervals(trigger),
            self._invoker,
            rewrites_dates=self._configuration.rewrites_dates,
        )

    def _intervals(self, trigger: CosmosTrigger) -> LeaseIntervals:
        scaled = LeaseIntervals.scaled(self._options.lease_expiration)
        return LeaseIntervals(
            acquire=trigger.acquire or scaled.acquire,
            renew=trigger.renew or scaled.renew,
            expiration=trigger.expiration or scaled.expiration,
        )

    def _timer(self, trigger: TimerTrigger, triggers: list[Trigger]) -> Timer:
        """Return a timer, whose lock is in the lease container of the first Cosmos trigger.

        Raises:
            HostError: If the app has no Cosmos DB trigger.
        """
        feeds = [feed for feed in triggers if isinstance(feed, CosmosTrigger)]
        referrer = f"the timer of function {trigger.function.name}"
        if not feeds:
            raise HostError(
                f"For {referrer} the local host needs a Cosmos DB trigger in the app, because its "
                "lease container stores the lock, so that one host at a time runs the timer."
            )
        account = Account.from_setting(feeds[0].lease_connection, self._settings, referrer)
        intervals = LeaseIntervals.scaled(self._options.lease_expiration)
        return Timer(
            trigger, CosmosRestClient(account), feeds[0].lease_link, intervals, self._invoker
        )


def load_app(folder: Path) -> func.FunctionApp:
    """Return the app that the folder's `function_app.py` defines.

    Raises:
        HostError: If it does not exist or defines no app.
    """
    if not (folder / "function_app.py").is_file():  # another folder on the path may have one
        raise HostError(
            f"There is no function_app.py in {folder.resolve()}. Name the app's folder with --app."
        )
    sys.path.insert(0, str(folder.resolve()))
    module = importlib.import_module("function_app")
    apps = [value for value in vars(module).values() if isinstance(value, func.FunctionApp)]
    if not apps:
        raise HostError("function_app.py defines no azure.functions.FunctionApp. Define one.")
    return apps[0]


def export_settings(settings: Mapping[str, str]) -> None:
    """Copy the settings into the environment, from which the app reads them."""
    os.environ.update(settings)
