"""Session tokens, which make later reads of a process include what it has written or seen."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from azure.core.pipeline.transport import AioHttpTransport

from core.errors import LeaseFormatError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azure.cosmos._session import SessionContainer
    from azure.cosmos.aio._cosmos_client_connection_async import CosmosClientConnection

    from core.cosmos.clock import ServiceClock

_CONTAINER_RID = "x-ms-content-path"
_CONTAINER_NAME = "x-ms-alt-content-path"
_KEY_RANGE_ID = "x-ms-documentdb-partitionkeyrangeid"
_RESOURCE_TYPE = "x-ms-thinclient-proxy-resource-type"
_SESSION_TOKEN = "x-ms-session-token"  # noqa: S105 - the name of a header
_SUB_STATUS = "x-ms-substatus"

_READ_SESSION_NOT_AVAILABLE = "1002"
"""The sub-status of a read that no replica can serve, for all are behind its token."""

_MAX_WAIT_SECONDS = 10.0
"""The time after which a state that no replica reaches is taken for lost, as after a restore."""


class SessionTransport(AioHttpTransport):  # type: ignore[misc] # azure-core does not type its base
    """Records the session token of every response about documents, and the time of the service.

    azure-cosmos 4.17.1 drops the token of a batch, whether it is applied or not. It records that of
    a response without a document under the container's name alone, so that a container which was
    created again is not noticed, and queries would ask for a state of the old one for ever.

    Args:
        clock: The clock that is corrected by the responses.
        options: Those of the transport.

    Attributes:
        connection: The SDK's connection, whose session takes the tokens once it is entered.
    """

    connection: CosmosClientConnection | None = None

    def __init__(self, clock: ServiceClock, **options: Any) -> None:  # noqa: ANN401 - the SDK's types
        super().__init__(**options)
        self._clock = clock
        self._waiting_since: dict[tuple[str, str], float] = {}

    async def send(self, request: Any, **options: Any) -> Any:  # noqa: ANN401 - the SDK's types
        """Send a request, and return the response."""
        sent_at = self._clock.host_time()
        response = await super().send(request, **options)
        headers = response.headers
        self._clock.observe(headers.get("Date", ""), sent_at)
        is_about_documents = request.headers.get(_RESOURCE_TYPE) == "docs"
        if is_about_documents and _CONTAINER_RID in headers and _CONTAINER_NAME in headers:
            self._record(headers)
        return response

    def _record(self, headers: Any) -> None:  # noqa: ANN401 - a mapping that ignores case
        connection = self.connection
        if connection is None or connection.session is None:
            return
        if self._is_lost(headers, connection.session.session_container.rid_to_session_token):
            _clear(connection.session.session_container, headers[_CONTAINER_NAME])
        if _SESSION_TOKEN in headers:
            container = {"_self": f"dbs/-/colls/{headers[_CONTAINER_RID]}"}
            connection.session.update_session(connection, container, headers)  # type: ignore[no-untyped-call] # the SDK's

    def _is_lost(self, headers: Any, tokens: Mapping[str, Any]) -> bool:  # noqa: ANN401 - as above
        """Return whether the state that the session asks for will not come again.

        It is lost if the container is another one than that of the tokens, or if no replica has had
        the state for long.
        """
        rid = headers[_CONTAINER_RID]
        partition = rid, headers.get(_KEY_RANGE_ID, "")
        if headers.get(_SUB_STATUS) != _READ_SESSION_NOT_AVAILABLE:
            self._waiting_since.pop(partition, None)
            return False
        now = time.monotonic()
        waited = now - self._waiting_since.setdefault(partition, now)
        return rid not in tokens or waited > _MAX_WAIT_SECONDS


def _clear(session: SessionContainer, container_name: str) -> None:
    rid = session.collection_name_to_rid.pop(container_name, None)
    session.rid_to_session_token.pop(rid, None)


def session_lsn(headers: Mapping[str, str]) -> int:
    """Return the global LSN of a response's session token: `0:12345`, `0:-1#12345#Region1=1`.

    Raises:
        LeaseFormatError: If there is none.
    """
    token = next((value for name, value in headers.items() if name.lower() == _SESSION_TOKEN), "")
    segments = token.partition(":")[2].split("#")
    number = segments[1] if len(segments) > 1 else segments[0]
    try:
        return int(number)
    except ValueError:
        raise LeaseFormatError(f"Session token {token!r:.80} has no LSN.") from None
