"""Requests with a query, which run on one physical partition at a time, and query plans."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from local.cosmos import charges
from local.cosmos.errors import bad_request
from local.cosmos.jsontext import encode
from local.cosmos.messages import Request, Response, items_body, json_response, partition_headers
from local.cosmos.pages import Pager
from local.cosmos.query import QueryError, UnsupportedQueryError, parse, plan
from local.cosmos.targets import is_addressed, key_set, next_target, single_target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.cosmos.containers import Container
    from local.cosmos.errors import ServiceError
    from local.cosmos.indexing import IndexedPaths
    from local.cosmos.pages import Page
    from local.cosmos.query import Plan, Query
    from local.cosmos.targets import KeySet, Target

_DEFAULT_PAGE_SIZE = 1000
_CROSS_PARTITION = "x-ms-documentdb-query-enablecrosspartition"
_NOT_SERVABLE = 1004


def query(request: Request) -> Response:
    """POST .../docs with a query: a page of results, and a continuation if there are more."""
    container = request.container()
    question, parameters = question_of(request)
    with running():
        target = _target(request, container, question, parameters)
        _check_order(container.indexed_paths, question)
        return _answer(request, container, target, question, parameters)


def listing(request: Request) -> Response:
    """GET .../docs: all items, page by page and partition after partition."""
    container, everything = request.container(), parse("SELECT * FROM c")
    keys = key_set(request, container, everything, {})
    target = (single_target if is_addressed(request) else next_target)(request, container, keys)
    return _answer(request, container, target, everything, {})


def query_plan(request: Request) -> Response:
    """POST .../docs for a query plan: how to run a query by physical partition, and to merge."""
    container = request.container()
    question, parameters = question_of(request)
    with running():
        keys = key_set(request, container, question, parameters)
        made = plan(question, parameters, one_key=keys.is_single)
        made.check_features(request.headers.get("x-ms-cosmos-supported-query-features", ""))
    return json_response(_plan_body(made, keys))


def question_of(request: Request) -> tuple[Query, dict[str, Any]]:
    """Return the query and the parameters of a request's body.

    Raises:
        ServiceError: 400.
    """
    body = request.json_object()
    try:
        parameters = {pair["name"]: pair["value"] for pair in body.get("parameters") or ()}
    except (KeyError, TypeError):
        raise bad_request("Query parameters are objects with a name and a value.") from None
    try:
        return parse(str(body.get("query", ""))), parameters
    except QueryError as error:
        raise bad_request(str(error)) from None


@contextmanager
def running() -> Iterator[None]:
    """Turn what a query raises while it runs into the service's error.

    Raises:
        ServiceError: 400.
    """
    try:
        yield
    except QueryError as error:
        raise bad_request(str(error)) from None
    except (ValueError, OverflowError):
        raise bad_request("The query, or a number that it computes, is out of range.") from None


def _target(
    request: Request, container: Container, question: Query, parameters: dict[str, Any]
) -> Target:
    """Return what a query runs over, if it can run without a client that merges results.

    The rules are those of `PartitionRoutingHelper` in Microsoft's .NET SDK, which the service's
    gateway shares.
    """
    keys = key_set(request, container, question, parameters)
    if is_addressed(request):
        if not question.is_pageable:
            raise UnsupportedQueryError(
                "DISTINCT with an ORDER BY of what is not selected, inside a partition,"
            )
        return single_target(request, container, keys)
    made = plan(question, parameters, one_key=keys.is_single)
    if not keys.is_single and not request.has_flag(_CROSS_PARTITION):
        raise _with_plan(
            bad_request(
                "Cross partition query is required but disabled. Please set "
                f"{_CROSS_PARTITION} to true, specify x-ms-documentdb-partitionkey, or fix the "
                "partition key in the query's WHERE."
            ),
            *(made, keys),
        )
    if made.is_for_clients_only or (made.is_needed and not keys.is_single):
        raise _with_plan(
            bad_request(
                "The provided cross partition query can not be directly served by the gateway: "
                "ask for its plan (x-ms-cosmos-is-query-plan-request), query each physical "
                "partition and merge the results, as the SDKs do.",
                sub_status=_NOT_SERVABLE,
            ),
            *(made, keys),
        )
    return (single_target if keys.is_single else next_target)(request, container, keys)


def _check_order(indexed: IndexedPaths, question: Query) -> None:
    """Raise what the service does where no index has the order of the results."""
    order = [(item.path.steps, item.descending) for item in question.tree.order]
    if not all(indexed.includes(steps) for steps, _ in order):
        raise bad_request(
            "The index path corresponding to the specified order-by item is excluded."
        )
    if len(order) > 1 and not indexed.sorts_by(order):
        raise bad_request(
            "The order by query does not have a corresponding composite index that it can be "
            "served from."
        )


def _with_plan(error: ServiceError, made: Plan, keys: KeySet) -> ServiceError:
    error.additional = encode(_plan_body(made, keys))
    return error


def _plan_body(made: Plan, keys: KeySet) -> dict[str, Any]:
    return {
        "partitionedQueryExecutionInfoVersion": 2,
        "queryInfo": made.info,
        "queryRanges": keys.ranges,
    }


def _answer(
    request: Request,
    container: Container,
    target: Target,
    question: Query,
    parameters: dict[str, Any],
) -> Response:
    started = time.perf_counter()
    partition = target.partition
    partition.admit()
    view = container.view([partition], request.session_token)
    pager = Pager(question, parameters, view, container.default_ttl)
    results = pager.page(target.scan, target.token, request.page_size(_DEFAULT_PAGE_SIZE))
    returned = sum(map(len, results.bodies))
    charge = charges.query(results.read, returned)
    partition.limiter.charge(charge)
    headers = {
        **partition_headers(partition, lsn=view.lsns[partition.key_range.id]),
        "x-ms-item-count": str(len(results.bodies)),
    }
    continuation = target.continuation(None if results.next is None else results.next.text)
    if continuation is not None:
        headers["x-ms-continuation"] = continuation
    if request.has_flag("x-ms-documentdb-populatequerymetrics"):
        headers["x-ms-documentdb-query-metrics"] = _metrics(
            results, returned, time.perf_counter() - started
        )
    return Response(body=items_body(container, results.bodies), charge=charge, headers=headers)


def _metrics(results: Page, returned: int, seconds: float) -> str:
    """Return what is measured here of the figures that the service reports."""
    return (
        f"totalExecutionTimeInMs={seconds * 1000:.2f};"
        f"retrievedDocumentCount={results.read};retrievedDocumentSize={results.read_bytes};"
        f"outputDocumentCount={len(results.bodies)};outputDocumentSize={returned}"
        + ("" if results.read else ";indexUtilizationRatio=1.00")
    )
