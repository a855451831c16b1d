"""A container of small documents: dead letters, leases and the progress of fan-outs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from azure.core import MatchConditions

from core.cosmos.batches import read_current
from core.cosmos.key_ranges import KeyRange, name_within
from core.cosmos.requests import (
    QUERY_TIMEOUT_SECONDS,
    REQUEST_TIMEOUT_SECONDS,
    collect,
    read_page,
)
from core.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azure.cosmos.aio import ContainerProxy

    from core.cosmos.requests import Requests
    from core.throttling.deadline import Deadline

Document = dict[str, Any]


class Query(NamedTuple):
    """The text of a query, and its parameters by name."""

    text: str
    parameters: Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Container:
    """Reads and writes documents with a timeout, a rate limiter, retries and the engine's errors.

    Every method raises DeadlineExceededError if the deadline is reached, and CosmosError if Cosmos
    DB returns an error that is not retryable. Its `action` is a description for these errors.

    Attributes:
        proxy: The SDK's client of the container.
        requests: What sends the requests.
        limiter: The name of the rate limiter, which stands for all partitions of the container.
    """

    proxy: ContainerProxy
    requests: Requests
    limiter: str

    async def read(
        self, action: str, document_id: str, partition_key: str, deadline: Deadline
    ) -> Document | None:
        """Return a document as it is now, None if it does not exist."""
        try:
            results = await self.requests.send(
                action,
                lambda hook: read_current(self.proxy, document_id, partition_key, hook),
                partition=self.limiter,
                deadline=deadline,
                not_found=NotFoundError,
                timeout_seconds=REQUEST_TIMEOUT_SECONDS,
            )
        except NotFoundError:
            return None
        return dict(results[0]["resourceBody"])

    async def create(self, action: str, document: Document, deadline: Deadline) -> bool:
        """Store a document unless one with its id exists, and return whether it was stored."""
        try:
            await self.requests.send(
                action,
                lambda _: self.proxy.create_item(document),
                partition=self.limiter,
                deadline=deadline,
            )
        except ConflictError:
            return False
        return True

    async def replace(
        self, action: str, document: Document, etag: str | None, deadline: Deadline
    ) -> bool:
        """Store a document in place of that version of it, and return False if it is gone."""
        try:
            await self.requests.send(
                action,
                lambda _: self.proxy.replace_item(
                    document["id"],
                    document,
                    etag=etag,
                    match_condition=MatchConditions.IfNotModified,
                ),
                partition=self.limiter,
                deadline=deadline,
                not_found=NotFoundError,
            )
        except (ConflictError, NotFoundError):
            return False
        return True

    async def upsert(self, action: str, document: Document, deadline: Deadline) -> None:
        """Store a document in place of the one with its id, if there is one."""
        await self.requests.send(
            action,
            lambda _: self.proxy.upsert_item(document),
            partition=self.limiter,
            deadline=deadline,
        )

    async def delete(
        self, action: str, document_id: str, partition_key: str, deadline: Deadline
    ) -> None:
        """Delete a document if it exists."""
        try:
            await self.requests.send(
                action,
                lambda _: self.proxy.delete_item(document_id, partition_key),
                partition=self.limiter,
                deadline=deadline,
                not_found=NotFoundError,
            )
        except NotFoundError:
            return

    async def delete_version(
        self, action: str, document_id: str, etag: str | None, deadline: Deadline
    ) -> bool:
        """Delete that version of a document, and return False if there is another version.

        The id is the partition key. A document that does not exist counts as deleted.
        """
        try:
            await self.requests.send(
                action,
                lambda _: self.proxy.delete_item(
                    document_id,
                    document_id,
                    etag=etag,
                    match_condition=MatchConditions.IfNotModified,
                ),
                partition=self.limiter,
                deadline=deadline,
                not_found=NotFoundError,
            )
        except NotFoundError:
            return True
        except ConflictError:
            return False
        return True

    async def catch_up(self, action: str, deadline: Deadline) -> None:
        """Let later queries of this process see whatever any process has stored by now.

        A query may be answered by a replica that lags, but not by one that is behind the session.
        Reading any document where writes run brings the session up to date, and so does reading one
        that does not exist. The container has its ids as partition keys.
        """
        feed_ranges = await self.requests.send(
            action,
            lambda _: collect(self.proxy.read_feed_ranges()),
            partition=self.limiter,
            deadline=deadline,
            timeout_seconds=REQUEST_TIMEOUT_SECONDS,
        )
        for feed_range in feed_ranges:
            borders = feed_range["Range"]
            name = name_within(KeyRange(start=borders["min"], end=borders["max"]))
            await self.read(action, name, name, deadline)

    async def page(
        self,
        action: str,
        query: Query,
        deadline: Deadline,
        *,
        after: str | None,
        limit: int,
    ) -> tuple[list[Document], str | None]:
        """Return up to `limit` results of a query over all logical partitions.

        Also return the continuation after them, None at the end. The query may neither sort nor
        aggregate, as then the SDK has no continuations.
        """
        documents: list[Document] = []
        values = [{"name": name, "value": value} for name, value in query.parameters.items()]
        while True:
            results = partial(
                self.proxy.query_items,
                query.text,
                parameters=values,
                max_item_count=limit - len(documents),
            )
            page, after = await self.requests.send(
                action,
                partial(read_page, results, after),
                partition=self.limiter,
                deadline=deadline,
                timeout_seconds=REQUEST_TIMEOUT_SECONDS,
            )
            documents += page
            if after is None or len(documents) >= limit:
                return documents, after

    async def query(
        self,
        action: str,
        text: str,
        parameters: Mapping[str, object],
        deadline: Deadline,
        *,
        partition_key: str | None = None,
    ) -> list[Document]:
        """Return the results of a query, in one logical partition or, with None, in all."""
        scope: dict[str, Any] = {} if partition_key is None else {"partition_key": partition_key}
        values = [{"name": name, "value": value} for name, value in parameters.items()]
        return await self.requests.send(
            action,
            lambda _: collect(self.proxy.query_items(text, parameters=values, **scope)),
            partition=self.limiter,
            deadline=deadline,
            timeout_seconds=QUERY_TIMEOUT_SECONDS,
        )
