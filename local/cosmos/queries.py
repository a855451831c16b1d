"""Queries over the items of one partition key, of a key range, or of a whole container."""

from __future__ import annotations

import time
from contextlib import contextmanager
from itertools import islice, starmap
from typing import TYPE_CHECKING, Any

from local.cosmos import charges
from local.cosmos.calls import Answer, Call, page, progress, resource, token
from local.cosmos.errors import bad_request, not_covered
from local.cosmos.jsontext import decode, encode
from local.cosmos.partitions import key_of_header
from local.cosmos.query import Query, QueryError, parse
from local.cosmos.sessions import session_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.cosmos.containers import Container, Partition
    from local.cosmos.replicas import View
    from local.cosmos.table import Item

_PAGE = 1000
_MOST_BYTES = 4 * 1024 * 1024
_MOST_LOOKED_AT = 20_000
"""Documents that one page of a streamed query looks at, so that others are not kept waiting."""
_KEY = "x-ms-documentdb-partitionkey"
_PARTITION = "x-ms-documentdb-partitionkeyrangeid"
_CROSS_PARTITION = "x-ms-documentdb-query-enablecrosspartition"


def query(call: Call) -> Answer:
    """POST .../docs with a query: a page of results, and a continuation if there are more.

    Unlike the service, results of several physical partitions are put together here, so that
    clients need no query plan.
    """
    container = call.container()
    question, parameters = question_of(call)
    if not (call.headers.keys() & {_KEY, _PARTITION} or call.flag(_CROSS_PARTITION)):
        raise bad_request(
            "Cross partition query is required but disabled. Please set "
            f"{_CROSS_PARTITION} to true, or specify {_KEY}."
        )
    return _answer(call, container, question, parameters)


def listing(call: Call) -> Answer:
    """GET .../docs: all items, page by page."""
    return _answer(call, call.container(), parse("SELECT * FROM c"), {})


def plan(call: Call) -> Answer:
    """Return the plan of a query whose results clients put together one after another."""
    question, _ = question_of(call)
    if not question.streams:
        raise not_covered("A query plan for ORDER BY, TOP, DISTINCT, OFFSET LIMIT or aggregates")
    return resource(
        {
            "partitionedQueryExecutionInfoVersion": 2,
            "queryInfo": {
                "distinctType": "None",
                "top": None,
                "offset": None,
                "limit": None,
                "orderBy": [],
                "orderByExpressions": [],
                "groupByExpressions": [],
                "groupByAliases": [],
                "aggregates": [],
                "groupByAliasToAggregateType": {},
                "rewrittenQuery": "",
                "hasSelectValue": False,
                "dCountInfo": None,
                "hasNonStreamingOrderBy": False,
            },
            "queryRanges": [
                {"min": "", "max": "FF", "isMinInclusive": True, "isMaxInclusive": False}
            ],
        }
    )


def question_of(call: Call) -> tuple[Query, dict[str, Any]]:
    """The query and the parameters of a request's body.

    Raises:
        ServiceError: 400.
    """
    body = call.json_object()
    try:
        parameters = {each["name"]: each["value"] for each in body.get("parameters") or ()}
    except (KeyError, TypeError):
        raise bad_request("Query parameters are objects with a name and a value.") from None
    try:
        return parse(str(body.get("query", ""))), parameters
    except QueryError as error:
        raise bad_request(str(error)) from None


@contextmanager
def running() -> Iterator[None]:
    """What a query raises while it runs, as the service's refusal.

    Raises:
        ServiceError: 400.
    """
    try:
        yield
    except QueryError as error:
        raise bad_request(str(error)) from None
    except (ValueError, OverflowError):
        raise bad_request("The query, or a number that it computes, is out of range.") from None


def _answer(
    call: Call, container: Container, question: Query, parameters: dict[str, Any]
) -> Answer:
    partitions = _partitions(call, container)
    for each in partitions:
        each.admit()
    view = container.view(partitions, call.session_token)
    found = _Page(call, container, view)
    with running():
        bodies = (found.stream if question.streams else found.slice)(question, parameters)
    charge = charges.query(found.looked_at, sum(map(len, bodies)))
    for each in partitions:
        each.budget.take(charge / len(partitions))
    headers = {
        **progress(partitions[0], lsn=view.lsns[partitions[0].range.id]),
        "x-ms-session-token": ",".join(starmap(session_token, view.lsns.items())),
        "x-ms-item-count": str(len(bodies)),
    }
    if found.continuation is not None:
        headers["x-ms-continuation"] = found.continuation
    return Answer(body=page(container, bodies), charge=charge, headers=headers)


class _Page:
    """One page: where it begins, what it costs, and where the next one begins."""

    def __init__(self, call: Call, container: Container, view: View) -> None:
        key = call.headers.get(_KEY)
        self._key = None if key is None else key_of_header(key).text
        self._minimum = call.headers.get("x-ms-start-epk", "")
        self._maximum = call.headers.get("x-ms-end-epk", "FF")
        self._view = view
        self._container = container
        self._limit = call.page_size(_PAGE)
        self._start = _continuation(call)
        self._last = self._start
        self._tired = False
        self.looked_at = 0
        self.continuation: str | None = None

    def stream(self, question: Query, parameters: dict[str, Any]) -> list[str]:
        """Results document by document; the next page goes on behind the last result."""
        bodies: list[str] = []
        last = size = 0
        for body in self._results(question, parameters):
            if len(bodies) >= self._limit or size >= _MOST_BYTES:
                self.continuation = str(last)
                break
            bodies.append(body)
            size += len(body)
            last = self._last
        else:
            self.continuation = str(self._last) if self._tired else None
        return bodies

    def slice(self, question: Query, parameters: dict[str, Any]) -> list[str]:
        """A part of all results, for queries that must see everything first."""
        documents = (decode(item.body) for item in self._items(0))
        results = question.run(documents, parameters)
        end = self._start + self._limit
        bodies = list(map(encode, islice(results, self._start, end)))
        if next(results, None) is not None:
            self.continuation = str(end)
        return bodies

    def _results(self, question: Query, parameters: dict[str, Any]) -> Iterator[str]:
        items = self._items(self._start, most=_MOST_LOOKED_AT)
        if question.selects_all:
            return (item.body for item in items)
        return map(encode, question.run((decode(item.body) for item in items), parameters))

    def _items(self, after: int, most: int | None = None) -> Iterator[Item]:
        now = time.time()
        for item in self._view.scan(after=after, key=self._key):
            if self.looked_at == most:
                self._tired = True
                return
            self._last = item.number
            if self._wants(item, now):
                self.looked_at += 1
                yield item

    def _wants(self, item: Item, now: float) -> bool:
        inside = self._minimum <= item.epk < self._maximum
        return inside and not item.is_expired(self._container.default_ttl, now)


def _partitions(call: Call, container: Container) -> list[Partition]:
    if _KEY in call.headers:
        return [container.partition_of(key_of_header(call.headers[_KEY]))]
    if _PARTITION in call.headers:
        return [container.partition_by_id(call.headers[_PARTITION])]
    return container.partitions


def _continuation(call: Call) -> int:
    found = token(call.headers.get("x-ms-continuation") or "0")
    if found is None:
        raise bad_request("The continuation is none of this server's.")
    return found
