"""The client of the azure-cosmos SDK."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies_environment

from azure.cosmos.aio import CosmosClient

from core.cosmos.clock import ServiceClock
from core.cosmos.requests import REQUEST_TIMEOUT_SECONDS
from core.cosmos.sessions import SessionTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from core.settings import Connection

_CONNECT_TIMEOUT = 5


class Client(CosmosClient):
    """The SDK's client as the engine uses it, which sends nothing until it is used.

    The SDK's own retries are off, because one layer owns retrying. The SDK takes
    `retry_throttle_total=0` for "not given", hence -1.

    Args:
        connection: The connection to the account.

    Attributes:
        clock: The time, corrected by the responses.
    """

    def __init__(self, connection: Connection) -> None:
        self._identity = None if connection.key else _identity(connection)
        self._entering = asyncio.Lock()
        self._is_entered = False
        self.clock = ServiceClock()
        credential: Any = connection.key.get_secret_value() if connection.key else self._identity
        # By default aiohttp reads ~/.netrc and the environment for every request, which takes a
        # third of the request time.
        transport = SessionTransport(self.clock, use_env_settings=bool(getproxies_environment()))
        super().__init__(
            connection.endpoint,
            credential=credential,
            retry_throttle_total=-1,
            retry_total=0,
            retry_connect=0,
            retry_read=0,
            retry_status=0,
            connection_timeout=_CONNECT_TIMEOUT,
            read_timeout=REQUEST_TIMEOUT_SECONDS,
            connection_verify=connection.verify_certificate,
            no_response_on_write=True,
            transport=transport,
            user_agent_suffix="event-projections",
        )
        transport.connection = self.client_connection

    async def enter(self) -> None:
        """Read the account and begin the session, unless it has been done.

        Without it the SDK sends requests as well, but no session tokens: every read may be older
        than what this process has written. A call that fails may be repeated.

        Raises:
            Exception: If the SDK raises it, as for any request.
        """
        if self._is_entered:
            return
        async with self._entering:
            if not self._is_entered:
                await self.__aenter__()
                self._is_entered = True

    def write_endpoint(self) -> str:
        """Return where the account takes writes, which changes when it fails over."""
        return str(self.client_connection._WriteEndpoint)  # noqa: SLF001 - the SDK has no public name for it

    async def close(self) -> None:
        """Close the connections, including those of the identity."""
        await super().close()
        if self._identity is not None:
            await self._identity.close()


@asynccontextmanager
async def open_client(connection: Connection) -> AsyncIterator[Client]:
    """Open a client, which is not entered yet, and close it whatever happens."""
    client = Client(connection)
    try:
        yield client
    finally:
        await client.close()


def _identity(connection: Connection) -> Any:  # noqa: ANN401 - its library is loaded only here
    # It is loaded only where it is used, because it takes a third of a cold start.
    from azure.identity.aio import DefaultAzureCredential  # noqa: PLC0415

    return DefaultAzureCredential(managed_identity_client_id=connection.client_id)
