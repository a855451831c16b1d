"""The HTTP server of the embedded Cosmos DB."""

from __future__ import annotations

import asyncio
import base64
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from uuid import NAMESPACE_OID, uuid5

from aiohttp import web

from local.cosmos import auth
from local.cosmos.account import Account
from local.cosmos.controls import add_control_routes
from local.cosmos.errors import ServiceError, too_large
from local.cosmos.faults import Fault, FaultInjector
from local.cosmos.injection import apply_fault
from local.cosmos.messages import Request, Response, error_response
from local.cosmos.permissions import Principal
from local.cosmos.replicas import ReplicaLag
from local.cosmos.routes import handle_request, request_kind
from local.cosmos.storage import Storage
from local.cosmos.wire import http_response, path_segments

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from typing_extensions import Self

    from local.cosmos.permissions import Role

WELL_KNOWN_KEY = (
    "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="
)
"""The key of every Cosmos DB emulator, which is not a secret."""

_MAX_BODY_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class CosmosOptions:
    """The options of the embedded Cosmos DB.

    Attributes:
        host: The address to listen on.
        port: The port to listen on, 0 for a free one.
        partitions: The number of physical partitions of each new container.
        throughput: The RU/s of each container that is created without throughput, None for no
            limit. The physical partitions share it evenly.
        data: The folder that stores the state, None to keep it in memory.
        key: The account key in Base64.
        replica_lag: The age in seconds of the state that reads without a session token see.
        multiple_write_locations: Whether the account reports that it has several write regions.
        consistency: The default consistency that the account reports; all reads are as by Session.
        roles: The roles of principals, by the Base64 keys that they sign with.
    """

    host: str = "127.0.0.1"
    port: int = 8081
    partitions: int = 1
    throughput: int | None = None
    data: Path | None = None
    key: str = WELL_KNOWN_KEY
    replica_lag: float = 0.0
    multiple_write_locations: bool = False
    consistency: str = "Session"
    roles: Mapping[str, Sequence[Role]] = field(default_factory=dict)


class EmbeddedCosmos:
    """Serves an account over HTTP; an async context manager that can be started and stopped again.

    Raises:
        ValueError: If a key is not Base64.
    """

    def __init__(self, options: CosmosOptions) -> None:
        self._options = options
        self._principals = dict(_principals(options))
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._outage: asyncio.Task[None] | None = None
        self._storage: Storage | None = None
        self.port = options.port

    @property
    def endpoint(self) -> str:
        """The URL of the account."""
        return f"http://{self._options.host}:{self.port}/"

    @property
    def connection_string(self) -> str:
        """The connection string for the settings of an application."""
        return f"AccountEndpoint={self.endpoint};AccountKey={self._options.key};"

    @property
    def problem(self) -> str | None:
        """The reason why nothing can be stored, with what to do; None if there is no problem."""
        return None if self._storage is None else self._storage.problem

    async def start(self) -> None:
        """Open the state and start listening.

        Raises:
            OSError: If the port is in use, or the folder cannot be used.
        """
        if self._runner is not None:
            return
        self._storage = Storage(self._options.data)
        lag = ReplicaLag(self._options.replica_lag)
        account = Account(
            self._storage,
            partitions=self._options.partitions,
            throughput=self._options.throughput,
            lag=lag,
            multiple_write_locations=self._options.multiple_write_locations,
            consistency=self._options.consistency,
        )
        self._runner = web.AppRunner(
            self._app(account, FaultInjector(lag)), access_log=None, shutdown_timeout=1
        )
        try:
            await self._runner.setup()
            self._site = web.TCPSite(self._runner, self._options.host, self._options.port)
            await self._site.start()
        except OSError:
            await self.stop()
            raise
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and close the state."""
        if self._outage is not None:
            self._outage.cancel()
            await asyncio.gather(self._outage, return_exceptions=True)
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        storage, self._storage = self._storage, None
        if storage is not None:
            storage.close()

    async def __aenter__(self) -> Self:
        """Start the server."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the server."""
        await self.stop()

    def _app(self, account: Account, injector: FaultInjector) -> web.Application:
        async def serve(http_request: web.Request) -> web.StreamResponse:
            started = time.perf_counter()
            try:
                request = await self._read_request(http_request, account)
            except ServiceError as error:
                response = error_response(error)
            else:
                response = await self._respond(http_request, request, injector)
            return http_response(response, time.perf_counter() - started)

        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        add_control_routes(app.router, account, injector)
        app.router.add_route("*", r"/{path:[\s\S]*}", serve)  # ids may contain line breaks
        return app

    async def _read_request(self, http_request: web.Request, account: Account) -> Request:
        headers = http_request.headers
        key = auth.signing_key(
            self._principals,
            http_request.method,
            http_request.path,
            headers.get("x-ms-date", ""),
            headers.get("authorization", ""),
        )
        try:
            body = await http_request.read()
        except web.HTTPRequestEntityTooLarge:
            raise too_large() from None
        segments = path_segments(http_request)
        resolved = account.resolve_rids(segments)
        return Request(
            kind=request_kind(http_request.method, headers),
            segments=resolved,
            headers=headers,
            body=body,
            account=account,
            endpoint=self.endpoint,
            principal=self._principals[key],
            is_by_rid=resolved != segments,
        )

    async def _respond(
        self, http_request: web.Request, request: Request, injector: FaultInjector
    ) -> Response:
        injected = injector.next_fault(request.kind)
        if injected is None:
            return handle_request(request)
        if injected.fault is Fault.OUTAGE:
            self._start_outage(injected.duration_ms / 1000)
        return await apply_fault(http_request, replace(request, injected_fault=injected), injected)

    def _start_outage(self, seconds: float) -> None:
        """Close all connections, and accept none for a while."""
        if self._outage is None or self._outage.done():
            self._outage = asyncio.create_task(self._run_outage(seconds), name="outage")

    async def _run_outage(self, seconds: float) -> None:
        if self._runner is None or self._site is None or self._runner.server is None:
            return
        await self._site.stop()
        for connection in self._runner.server.connections:
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(seconds)
        self._site = web.TCPSite(self._runner, self._options.host, self.port)
        await self._site.start()


def _principals(options: CosmosOptions) -> Iterator[tuple[bytes, Principal | None]]:
    """Yield the accepted keys, decoded, with their principals; the account key has none."""
    yield base64.b64decode(options.key, validate=True), None
    for key, roles in options.roles.items():
        yield base64.b64decode(key, validate=True), Principal(str(uuid5(NAMESPACE_OID, key)), roles)
