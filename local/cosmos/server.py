"""The server: every request comes through one place, is checked there, and counted."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from local.cosmos import auth, batches, feed, items, metadata, queries
from local.cosmos.account import Account
from local.cosmos.errors import ServiceError, bad_request, not_allowed
from local.cosmos.storage import Storage
from local.cosmos.wire import error_answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from typing_extensions import Self

    from local.cosmos.account import Container

WELL_KNOWN_KEY = (
    "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="
)
"""The key that every Cosmos DB emulator has: no secret."""

_LARGEST_BODY = 4 * 1024 * 1024
_THROTTLED = 429


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
        key: The account key.
    """

    host: str = "127.0.0.1"
    port: int = 8081
    partitions: int = 1
    throughput: int | None = None
    data: Path | None = None
    key: str = WELL_KNOWN_KEY


class EmbeddedCosmos:
    """Serves an account over HTTP; an async context manager, safe to stop twice."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._key = base64.b64decode(options.key)
        self._runner: web.AppRunner | None = None
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

    async def start(self) -> None:
        """Open the state and listen.

        Raises:
            OSError: The port is taken, or the folder cannot be used.
        """
        self._storage = Storage(self._options.data)
        account = Account(
            self._storage,
            partitions=self._options.partitions,
            throughput=self._options.throughput,
        )
        self._runner = web.AppRunner(self._app(account), access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._options.host, self._options.port)
        try:
            await site.start()
        except OSError:
            await self.stop()
            raise
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop listening and close the state."""
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

    def _app(self, account: Account) -> web.Application:
        app = web.Application(client_max_size=_LARGEST_BODY, middlewares=[self._checked])
        requests = _Requests(account, lambda: self.endpoint)
        for path, handler in requests.routes().items():
            app.router.add_route("*", path, handler)
        return app

    @web.middleware
    async def _checked(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        try:
            if not request.path.startswith("/_local/"):
                self._authorize(request)
            return await handler(request)
        except ServiceError as error:
            return error_answer(error)

    def _authorize(self, request: web.Request) -> None:
        auth.check(
            self._key,
            request.method,
            request.path,
            request.headers.get("x-ms-date", ""),
            request.headers.get("authorization", ""),
        )


class _Requests:
    """What each path and method leads to."""

    def __init__(self, account: Account, endpoint: Callable[[], str]) -> None:
        self._account = account
        self._endpoint = endpoint

    def routes(self) -> dict[str, Callable[[web.Request], Awaitable[web.StreamResponse]]]:
        """The handlers by path."""
        coll, slash = "/dbs/{db}/colls/{coll}", "{slash:/?}"
        return {
            "/": self._of_account,
            "/_local/statistics": self._statistics,
            f"/dbs{slash}": self._databases,
            f"/dbs/{{db}}{slash}": self._database,
            f"/dbs/{{db}}/colls{slash}": self._containers,
            f"{coll}{slash}": self._container,
            f"{coll}/pkranges{slash}": self._ranges,
            f"{coll}/docs{slash}": self._documents,
            f"{coll}/docs/{{item}}{slash}": self._document,
            "/{rest:.*}": self._unknown,
        }

    async def _of_account(self, request: web.Request) -> web.Response:
        del request
        return metadata.account(self._endpoint())

    async def _statistics(self, request: web.Request) -> web.Response:
        del request
        return metadata.statistics(self._account)

    async def _databases(self, request: web.Request) -> web.Response:
        return await metadata.databases(request, self._account)

    async def _database(self, request: web.Request) -> web.Response:
        return metadata.database(request, self._account)

    async def _containers(self, request: web.Request) -> web.Response:
        return await metadata.containers(request, self._account)

    async def _container(self, request: web.Request) -> web.Response:
        return await metadata.container(request, self._account)

    async def _ranges(self, request: web.Request) -> web.Response:
        return feed.partition_ranges(request, self._owner(request))

    async def _documents(self, request: web.Request) -> web.StreamResponse:
        return await self._counted(request, self._serve_documents)

    async def _document(self, request: web.Request) -> web.StreamResponse:
        return await self._counted(request, items.change)

    async def _unknown(self, request: web.Request) -> web.Response:
        raise not_allowed(f"{request.method} {request.path}")

    async def _serve_documents(
        self, request: web.Request, storage: Storage, container: Container
    ) -> web.Response:
        if request.method == "GET":
            if not feed.is_change_feed(request):
                raise bad_request("List items with a query; the read feed is not covered.")
            return feed.changes(request, storage, container)
        if request.method != "POST":
            raise not_allowed(f"{request.method} {request.path}")
        if queries.is_query(request):
            return await queries.query(request, storage, container)
        if request.headers.get("x-ms-cosmos-is-batch-request", "").lower() == "true":
            return await batches.batch(request, storage, container)
        return await items.write(request, storage, container)

    async def _counted(
        self,
        request: web.Request,
        handler: Callable[[web.Request, Storage, Container], Awaitable[web.Response]],
    ) -> web.StreamResponse:
        container = self._owner(request)
        started = time.perf_counter()
        try:
            response = await handler(request, self._account.storage, container)
        except ServiceError as error:
            response = error_answer(error)
        response.headers["x-ms-request-duration-ms"] = (
            f"{(time.perf_counter() - started) * 1e3:.3f}"
        )
        usage = container.usage
        usage.requests += 1
        usage.throttled += response.status == _THROTTLED
        usage.charge += float(response.headers["x-ms-request-charge"])
        return response

    def _owner(self, request: web.Request) -> Container:
        return self._account.owner(request.match_info["db"], request.match_info["coll"])
