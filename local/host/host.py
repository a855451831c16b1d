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

from local.host.bindings import CosmosTrigger, HttpTrigger, declared
from local.host.configuration import HostConfiguration
from local.host.http import application
from local.host.leases import LeaseTiming
from local.host.processor import Processor
from local.host.settings import Account, HostError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

_SHUTDOWN_SECONDS = 5


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
        self._runner: web.AppRunner | None = None
        self._processors: list[Processor] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._configuration = HostConfiguration.from_folder(options.folder, settings)
        self.port = options.port

    @property
    def url(self) -> str:
        """Where the HTTP functions are."""
        return f"http://{self._options.host}:{self.port}"

    async def start(self) -> None:
        """Load the app, start its triggers, and serve its routes.

        Raises:
            HostError: The app cannot be loaded or declares what cannot be run.
            OSError: The port is taken.
        """
        triggers = declared(self._app or load_app(self._options.folder), self._settings)
        routes = [each for each in triggers if isinstance(each, HttpTrigger)]
        self._processors = [
            self._processor(each) for each in triggers if isinstance(each, CosmosTrigger)
        ]
        await self._listen(routes)
        self._tasks = [
            asyncio.create_task(each.run(), name=f"trigger {nth}")
            for nth, each in enumerate(self._processors)
        ]

    async def wait(self) -> None:
        """Return when a trigger ends; none does by itself unless it cannot go on.

        Raises:
            HostError: Why.
        """
        if not self._tasks:
            await asyncio.Event().wait()
        done, _ = await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def stop(self) -> None:
        """Stop serving, let batches in flight end, and release the leases; safe to call twice."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        for processor in self._processors:
            processor.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks, self._processors = [], []

    async def __aenter__(self) -> Self:
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()

    async def _listen(self, routes: list[HttpTrigger]) -> None:
        app = application(
            routes,
            prefix=self._configuration.route_prefix,
            function_key=self._options.function_key,
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._options.host, self._options.port).start()
        except OSError:
            await self.stop()
            raise
        self.port = self._runner.addresses[0][1]

    def _processor(self, trigger: CosmosTrigger) -> Processor:
        where = f"the trigger of function {trigger.function.name}"
        scaled = LeaseTiming.scaled(self._options.lease_expiration)
        timing = LeaseTiming(
            acquire=trigger.acquire or scaled.acquire,
            renew=trigger.renew or scaled.renew,
            expiration=trigger.expiration or scaled.expiration,
        )
        return Processor(
            trigger,
            Account.of(trigger.connection, self._settings, where),
            Account.of(trigger.lease_connection, self._settings, where),
            timing,
            timeout=self._configuration.function_timeout,
            rewrites_dates=self._configuration.rewrites_dates,
        )


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
