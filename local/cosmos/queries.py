"""Queries over the items of one partition key, or of a whole container."""

from __future__ import annotations

import json
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

from local.cosmos import charges
from local.cosmos.documents import is_expired
from local.cosmos.errors import bad_request, not_allowed
from local.cosmos.query import Query, QueryError, parse
from local.cosmos.wire import answer, documents_page, headers, json_object, partition_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aiohttp import web

    from local.cosmos.account import Container, Partition
    from local.cosmos.storage import Item, Storage

_PAGE = 1000


def is_query(request: web.Request) -> bool:
    """Whether a POST asks a question and does not create anything."""
    return "query+json" in request.headers.get("content-type", "")


async def query(request: web.Request, storage: Storage, container: Container) -> web.Response:
    """POST .../docs with a query: a page of results, and a continuation if there are more.

    Unlike the service, results of several physical partitions are put together here, so that
    clients need no query plan.
    """
    if request.headers.get("x-ms-cosmos-is-query-plan-request", "").lower() == "true":
        raise not_allowed("A query plan, which this server's answers make needless,")
    body = await json_object(request)
    question, parameters = _parsed(body)
    key = request.headers.get("x-ms-documentdb-partitionkey")
    partitions = _partitions(request, container, key)
    for each in partitions:
        each.admit()
    page = _Page(request, storage, container, None if key is None else _key_text(key), partitions)
    try:
        bodies = (
            page.stream(question, parameters)
            if question.streams
            else page.slice(question, parameters)
        )
    except QueryError as error:
        raise bad_request(str(error)) from None
    charge = charges.query(page.looked_at, sum(map(len, bodies)))
    for each in partitions:
        each.budget.take(charge / len(partitions))
    fields = headers(charge, partitions[0])
    fields["x-ms-item-count"] = str(len(bodies))
    if page.continuation is not None:
        fields["x-ms-continuation"] = page.continuation
    return answer(200, documents_page(container, bodies), fields)


class _Page:
    """One page: where it begins, and where the next one will."""

    def __init__(
        self,
        request: web.Request,
        storage: Storage,
        container: Container,
        key: str | None,
        partitions: list[Partition],
    ) -> None:
        limit = int(request.headers.get("x-ms-max-item-count", -1))
        self._limit = limit if limit > 0 else _PAGE
        self._start = _continuation(request)
        self._storage = storage
        self._container = container
        self._key = key
        self._wanted = {each.range.id for each in partitions}
        self.looked_at = 0
        self.continuation: str | None = None

    def stream(self, question: Query, parameters: dict[str, Any]) -> list[str]:
        """Results document by document; the next page goes on behind the last one looked at."""
        bodies: list[str] = []
        last = self._start
        for item in self._items(after=self._start):
            if len(bodies) >= self._limit:
                self.continuation = str(last)
                break
            last = item.number
            if question.selects_all:
                bodies.append(item.body)
            else:
                bodies.extend(map(_dumps, question.run([json.loads(item.body)], parameters)))
        return bodies

    def slice(self, question: Query, parameters: dict[str, Any]) -> list[str]:
        """A part of all results, for queries that must see everything first."""
        documents = (json.loads(item.body) for item in self._items(after=0))
        results = question.run(documents, parameters)
        bodies = list(map(_dumps, islice(results, self._start, self._start + self._limit)))
        if next(results, None) is not None:
            self.continuation = str(self._start + self._limit)
        return bodies

    def _items(self, *, after: int) -> Iterator[Item]:
        now = time.time()
        for item in self._storage.scan(self._container.number, after=after, key=self._key):
            if item.partition in self._wanted and not is_expired(item, now):
                self.looked_at += 1
                yield item


def _parsed(body: dict[str, Any]) -> tuple[Query, dict[str, Any]]:
    try:
        question = parse(str(body.get("query", "")))
        return question, {each["name"]: each["value"] for each in body.get("parameters") or ()}
    except QueryError as error:
        raise bad_request(str(error)) from None
    except (KeyError, TypeError):
        raise bad_request("Query parameters are objects with a name and a value.") from None


def _partitions(request: web.Request, container: Container, key: str | None) -> list[Partition]:
    if key is not None:
        return [container.place(partition_key(key))[0]]
    partition_id = request.headers.get("x-ms-documentdb-partitionkeyrangeid")
    if partition_id is None:
        return container.partitions
    found = container.partition_by_id(partition_id)
    return [found] if found else []


def _key_text(header: str) -> str:
    return json.dumps(partition_key(header))


def _continuation(request: web.Request) -> int:
    token = request.headers.get("x-ms-continuation", "")
    if not token:
        return 0
    if not token.isdigit():
        raise bad_request("The continuation is none of this server's.")
    return int(token)


def _dumps(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
