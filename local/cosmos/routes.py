"""The table of routes, and the one function that handles every request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.cosmos import batches, conflicts, feed, items, metadata, offers, queries
from local.cosmos.authorization import authorize
from local.cosmos.errors import ServiceError, bad_request, not_supported
from local.cosmos.messages import Request, Response, error_response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.cosmos.containers import Container

_COLL = "dbs/*/colls/*"

_ROUTES: dict[tuple[str, str], Callable[[Request], Response]] = {
    ("GET", ""): metadata.read_account,
    ("GET", "dbs"): metadata.list_databases,
    ("QUERY", "dbs"): metadata.list_databases,
    ("POST", "dbs"): metadata.create_database,
    ("GET", "dbs/*"): metadata.read_database,
    ("DELETE", "dbs/*"): metadata.delete_database,
    ("GET", "dbs/*/colls"): metadata.list_containers,
    ("QUERY", "dbs/*/colls"): metadata.list_containers,
    ("POST", "dbs/*/colls"): metadata.create_container,
    ("GET", _COLL): metadata.read_container,
    ("PUT", _COLL): metadata.replace_container,
    ("DELETE", _COLL): metadata.delete_container,
    ("GET", "offers"): offers.list_offers,
    ("QUERY", "offers"): offers.list_offers,
    ("GET", "offers/*"): offers.read_offer,
    ("PUT", "offers/*"): offers.replace_offer,
    ("GET", f"{_COLL}/pkranges"): feed.list_partition_ranges,
    ("CHANGES", f"{_COLL}/pkranges"): feed.list_partition_ranges,
    ("CHANGES", f"{_COLL}/docs"): feed.read_change_feed,
    ("GET", f"{_COLL}/docs"): queries.list_items,
    ("QUERY", f"{_COLL}/docs"): queries.run_query,
    ("PLAN", f"{_COLL}/docs"): queries.read_query_plan,
    ("POST", f"{_COLL}/docs"): items.create_or_upsert,
    ("BATCH", f"{_COLL}/docs"): batches.execute_batch,
    ("GET", f"{_COLL}/docs/*"): items.read,
    ("PUT", f"{_COLL}/docs/*"): items.replace,
    ("PATCH", f"{_COLL}/docs/*"): items.patch,
    ("DELETE", f"{_COLL}/docs/*"): items.delete,
    ("POST", f"{_COLL}/operations/*"): items.delete_partition_key,
    ("GET", f"{_COLL}/conflicts"): conflicts.list_conflicts,
    ("QUERY", f"{_COLL}/conflicts"): conflicts.list_conflicts,
    ("GET", f"{_COLL}/conflicts/*"): conflicts.raise_conflict_not_found,
    ("DELETE", f"{_COLL}/conflicts/*"): conflicts.raise_conflict_not_found,
}


def request_kind(method: str, headers: Mapping[str, str]) -> str:
    """Return the kind of a request: queries and batches are sent as POST, the feed as GET."""
    if method == "GET" and "a-im" in headers:
        return "CHANGES"
    if method != "POST":
        return method
    if headers.get("x-ms-cosmos-is-query-plan-request", "").lower() == "true":
        return "PLAN"
    if "query+json" in headers.get("content-type", ""):
        return "QUERY"
    if headers.get("x-ms-cosmos-is-batch-request", "").lower() == "true":
        return "BATCH"
    return "POST"


def handle_request(request: Request) -> Response:
    """Return the response to a request, which may be an error, and record both in the usage."""
    try:
        if request.injected_fault is not None and request.injected_fault.error is not None:
            raise request.injected_fault.error
        handler = _handler(request)
        authorize(request)
        response = handler(request)
    except ServiceError as error:
        response = error_response(error)
    except RecursionError:
        response = error_response(bad_request("The document or query is nested too deeply."))
    container = _container_for_items(request)
    if container is None:
        return response
    _record_usage(container, response)
    return Response(
        status=response.status,
        body=response.body,
        charge=response.charge,
        throttled=response.throttled,
        headers={**container.content_path_headers, **response.headers},
    )


def _handler(request: Request) -> Callable[[Request], Response]:
    shape = request.shape
    try:
        return _ROUTES[request.kind, shape]
    except KeyError:
        raise not_supported(f"{request.kind} /{shape}") from None


def _container_for_items(request: Request) -> Container | None:
    """Return the container of a request for items, None if there is none."""
    if not {"docs", "operations"}.intersection(request.segments[4:5]):
        return None
    database = request.account.databases.get(request.ids[0])
    return database.containers.get(request.ids[1]) if database else None


def _record_usage(container: Container, response: Response) -> None:
    container.usage.requests += 1
    container.usage.throttled += response.throttled > 0
    container.usage.throttled_operations += response.throttled
    container.usage.charge += response.charge
