"""The server: HTTP in front, the account behind."""

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
from local.cosmos.calls import Answer, Call, refusal
from local.cosmos.controls import add_controls
from local.cosmos.errors import ServiceError, too_large
from local.cosmos.faults import Fault, Faults
from local.cosmos.injection import struck
from local.cosmos.permissions import Principal
from local.cosmos.replicas import ReplicaLag
from local.cosmos.routes import respond, verb_of
from local.cosmos.storage import Storage
from local.cosmos.wire import response, segments_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from typing_extensions import Self

    from local.cosmos.faults import Strike
    from local.cosmos.permissions import Role

WELL_KNOWN_KEY = (
    "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="
)
"""The key that every Cosmos DB emulator has: no secret."""

_MAX_BODY_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Options:
    """How the embedded Cosmos DB is set up.

    Attributes:
        host: Address to listen on.
        port: Port to listen on; 0 for a free one.
        partitions: Physical partitions of each new container.
        throughput: RU/s of each container, shared evenly by its physical partitions; None for
            without limit. A container created with an offer of its own has that.
        data: Folder that keeps the state; None for in memory.
        key: The account key, Base64.
        replica_lag: Seconds; reads without a session token see the state of so long ago.
        multiple_write_locations: Whether the account names itself one that is written in several
            regions.
        roles: The roles of principals by their keys, Base64; each may sign instead of the account.
    """

    host: str = "127.0.0.1"
    port: int = 8081
    partitions: int = 1
    throughput: int | None = None
    data: Path | None = None
    key: str = WELL_KNOWN_KEY
    replica_lag: float = 0.0
    multiple_write_locations: bool = False
    roles: Mapping[str, Sequence[Role]] = field(default_factory=dict)


class EmbeddedCosmos:
    """Serves an account over HTTP; an async context manager, safe to start and stop twice.

    Raises:
        ValueError: A key is not Base64.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._principals = dict(_principals(options))
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._outage: asyncio.Task[None] | None = None
        self._storage: Storage | None = None
        self.port = options.port

    @property
    def endpoint(self) -> str:
        """Where clients find it."""
        return f"http://{self._options.host}:{self.port}/"

    @property
    def connection_string(self) -> str:
        """What an application's setting takes."""
        return f"AccountEndpoint={self.endpoint};AccountKey={self._options.key};"

    @property
    def problem(self) -> str | None:
        """The reason why nothing can be stored, with what to do; None if all is well."""
        return None if self._storage is None else self._storage.problem

    async def start(self) -> None:
        """Open the state and listen.

        Raises:
            OSError: The port is taken, or the folder cannot be used.
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
        )
        self._runner = web.AppRunner(
            self._app(account, Faults(lag)), access_log=None, shutdown_timeout=1
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
        """Start."""
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop."""
        await self.stop()

    def _app(self, account: Account, faults: Faults) -> web.Application:
        async def serve(request: web.Request) -> web.StreamResponse:
            started = time.perf_counter()
            call = await self._call(request, account)
            strike = None if isinstance(call, Answer) else faults.strike(call.verb)
            answer = call if isinstance(call, Answer) else await self._answer(request, call, strike)
            return response(answer, time.perf_counter() - started)

        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        add_controls(app.router, account, faults)
        app.router.add_route("*", r"/{path:[\s\S]*}", serve)  # ids may have line breaks
        return app

    async def _call(self, request: web.Request, account: Account) -> Call | Answer:
        headers = request.headers
        try:
            key = auth.signing_key(
                self._principals,
                request.method,
                request.path,
                headers.get("x-ms-date", ""),
                headers.get("authorization", ""),
            )
            body = await request.read()
        except ServiceError as error:
            return refusal(error)
        except web.HTTPRequestEntityTooLarge:
            return refusal(too_large())
        segments = segments_of(request)
        named = account.named(segments)
        return Call(
            verb=verb_of(request.method, headers),
            segments=named,
            headers=headers,
            body=body,
            account=account,
            endpoint=self.endpoint,
            principal=self._principals[key],
            is_by_rid=named != segments,
        )

    async def _answer(self, request: web.Request, call: Call, strike: Strike | None) -> Answer:
        if strike is None:
            return respond(call)
        if strike.fault is Fault.OUTAGE:
            self._begin_outage(strike.milliseconds / 1000)
        return await struck(request, replace(call, strike=strike))

    def _begin_outage(self, seconds: float) -> None:
        """Refuse connections for a while, and cut those that are open."""
        if self._outage is None or self._outage.done():
            self._outage = asyncio.create_task(self._away(seconds), name="outage")

    async def _away(self, seconds: float) -> None:
        if self._runner is None or self._site is None or self._runner.server is None:
            return
        await self._site.stop()
        for connection in self._runner.server.connections:
            if connection.transport is not None:
                connection.transport.abort()
        await asyncio.sleep(seconds)
        self._site = web.TCPSite(self._runner, self._options.host, self.port)
        await self._site.start()


def _principals(options: Options) -> Iterator[tuple[bytes, Principal | None]]:
    """Yield the accepted keys, decoded, with their principals; the account's own has none."""
    yield base64.b64decode(options.key, validate=True), None
    for key, roles in options.roles.items():
        yield base64.b64decode(key, validate=True), Principal(str(uuid5(NAMESPACE_OID, key)), roles)
