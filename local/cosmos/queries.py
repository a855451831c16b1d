"""Requests with queries, each of which runs on one physical partition, and query plans."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from local.cosmos import charges
from local.cosmos.errors import bad_request
from local.cosmos.jsontext import encode
from local.cosmos.messages import Request, Response, items_body, json_response, partition_headers
from local.cosmos.pages import Pager
from local.cosmos.query import QueryError, UnsupportedQueryError, parse, plan_query
from local.cosmos.targets import is_addressed, next_target, select_keys, single_target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.cosmos.containers import Container
    from local.cosmos.errors import ServiceError
    from local.cosmos.indexing import IndexedPaths
    from local.cosmos.pages import Page
    from local.cosmos.query import Query, QueryPlan
    from local.cosmos.targets import KeySet, Target

_DEFAULT_PAGE_SIZE = 1000
_CROSS_PARTITION = "x-ms-documentdb-query-enablecrosspartition"
_NOT_SERVABLE = 1004


def run_query(request: Request) -> Response:
    """Return a page of the results of a query (POST .../docs)."""
    container = request.container()
    query, parameters = parse_query(request)
    with query_errors():
        target = _target(request, container, query, parameters)
        _check_order(container.indexed_paths, query)
        return _page_response(request, container, target, query, parameters)


def list_items(request: Request) -> Response:
    """Return a page of all items, partition after partition (GET .../docs)."""
    container, query = request.container(), parse("SELECT * FROM c")
    keys = select_keys(request, container, query, {})
    target = (single_target if is_addressed(request) else next_target)(request, container, keys)
    return _page_response(request, container, target, query, {})


def read_query_plan(request: Request) -> Response:
    """Return the plan by which clients run a query on each partition (POST .../docs)."""
    container = request.container()
    query, parameters = parse_query(request)
    with query_errors():
        keys = select_keys(request, container, query, parameters)
        query_plan = plan_query(query, parameters, one_key=keys.is_single)
        query_plan.check_features(request.headers.get("x-ms-cosmos-supported-query-features", ""))
    return json_response(_plan_body(query_plan, keys))


def parse_query(request: Request) -> tuple[Query, dict[str, Any]]:
    """Return the query and the parameters in the body of a request.

    Raises:
        ServiceError: 400, if the query or a parameter is invalid.
    """
    body = request.json_object()
    try:
        parameters = {pair["name"]: pair["value"] for pair in body.get("parameters") or ()}
    except (KeyError, TypeError):
        raise bad_request("Query parameters must be objects with a name and a value.") from None
    try:
        return parse(str(body.get("query", ""))), parameters
    except QueryError as error:
        raise bad_request(str(error)) from None


@contextmanager
def query_errors() -> Iterator[None]:
    """Convert the errors of a query that runs in the block.

    Raises:
        ServiceError: 400, if the query fails.
    """
    try:
        yield
    except QueryError as error:
        raise bad_request(str(error)) from None
    except (ValueError, OverflowError):
        raise bad_request("The query, or a number that it computes, is out of range.") from None


def _target(
    request: Request, container: Container, query: Query, parameters: dict[str, Any]
) -> Target:
    """Return the partition that a query runs on, if no client has to merge results.

    The rules are those of `PartitionRoutingHelper` in Microsoft's .NET SDK, which the gateway of
    the service uses, too.

    Raises:
        ServiceError: 400, if a client has to merge results.
    """
    keys = select_keys(request, container, query, parameters)
    if is_addressed(request):
        if not query.is_pageable:
            raise UnsupportedQueryError(
                "DISTINCT with an ORDER BY of a path that is not selected, in a single partition,"
            )
        return single_target(request, container, keys)
    query_plan = plan_query(query, parameters, one_key=keys.is_single)
    if not keys.is_single and not request.has_flag(_CROSS_PARTITION):
        raise _add_plan(
            bad_request(
                "Cross partition query is required but disabled. Please set "
                f"{_CROSS_PARTITION} to true, specify x-ms-documentdb-partitionkey, or fix the "
                "partition key in the query's WHERE."
            ),
            *(query_plan, keys),
        )
    if query_plan.is_for_clients_only or (query_plan.is_needed and not keys.is_single):
        raise _add_plan(
            bad_request(
                "The provided cross partition query can not be directly served by the gateway: "
                "ask for its plan (x-ms-cosmos-is-query-plan-request), query each physical "
                "partition and merge the results, as the SDKs do.",
                sub_status=_NOT_SERVABLE,
            ),
            *(query_plan, keys),
        )
    return (single_target if keys.is_single else next_target)(request, container, keys)


def _check_order(indexed: IndexedPaths, query: Query) -> None:
    """Raise the error of the service if no index has the order of the results.

    Raises:
        ServiceError: 400, if there is no such index.
    """
    order = [(item.path.steps, item.descending) for item in query.tree.order]
    if not all(indexed.includes(steps) for steps, _ in order):
        raise bad_request(
            "The index path corresponding to the specified order-by item is excluded."
        )
    if len(order) > 1 and not indexed.sorts_by(order):
        raise bad_request(
            "The order by query does not have a corresponding composite index that it can be "
            "served from."
        )


def _add_plan(error: ServiceError, query_plan: QueryPlan, keys: KeySet) -> ServiceError:
    error.additional = encode(_plan_body(query_plan, keys))
    return error


def _plan_body(query_plan: QueryPlan, keys: KeySet) -> dict[str, Any]:
    return {
        "partitionedQueryExecutionInfoVersion": 2,
        "queryInfo": query_plan.info,
        "queryRanges": keys.ranges,
    }


def _page_response(
    request: Request,
    container: Container,
    target: Target,
    query: Query,
    parameters: dict[str, Any],
) -> Response:
    started = time.perf_counter()
    partition = target.partition
    partition.admit()
    view = container.view([partition], request.session_token)
    pager = Pager(query, parameters, view, container.default_ttl)
    results = pager.page(target.scan, target.token, request.page_size(_DEFAULT_PAGE_SIZE))
    returned = sum(map(len, results.bodies))
    charge = charges.query(results.documents_read, returned)
    partition.limiter.charge(charge)
    headers = {
        **partition_headers(partition, lsn=view.lsns[partition.key_range.id]),
        "x-ms-item-count": str(len(results.bodies)),
    }
    continuation = target.continuation(
        None if results.next_token is None else results.next_token.text
    )
    if continuation is not None:
        headers["x-ms-continuation"] = continuation
    if request.has_flag("x-ms-documentdb-populatequerymetrics"):
        headers["x-ms-documentdb-query-metrics"] = _metrics(
            results, returned, time.perf_counter() - started
        )
    return Response(body=items_body(container, results.bodies), charge=charge, headers=headers)


def _metrics(results: Page, returned: int, seconds: float) -> str:
    """Return those metrics of the service that are measured here."""
    return (
        f"totalExecutionTimeInMs={seconds * 1000:.2f};"
        f"retrievedDocumentCount={results.documents_read};retrievedDocumentSize={results.bytes_read};"
        f"outputDocumentCount={len(results.bodies)};outputDocumentSize={returned}"
        + ("" if results.documents_read else ";indexUtilizationRatio=1.00")
    )
