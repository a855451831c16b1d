"""What each verb and path leads to, and the one place through which every request passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.cosmos import batches, conflicts, feed, items, metadata, offers, queries
from local.cosmos.authorization import authorize
from local.cosmos.calls import Answer, Call, refusal
from local.cosmos.errors import ServiceError, bad_request, not_covered

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local.cosmos.containers import Container

_COLL = "dbs/*/colls/*"

_ROUTES: dict[tuple[str, str], Callable[[Call], Answer]] = {
    ("GET", ""): metadata.account,
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
    ("GET", f"{_COLL}/pkranges"): feed.partition_ranges,
    ("CHANGES", f"{_COLL}/pkranges"): feed.partition_ranges,
    ("CHANGES", f"{_COLL}/docs"): feed.changes,
    ("GET", f"{_COLL}/docs"): queries.listing,
    ("QUERY", f"{_COLL}/docs"): queries.query,
    ("PLAN", f"{_COLL}/docs"): queries.query_plan,
    ("POST", f"{_COLL}/docs"): items.write,
    ("BATCH", f"{_COLL}/docs"): batches.batch,
    ("GET", f"{_COLL}/docs/*"): items.read,
    ("PUT", f"{_COLL}/docs/*"): items.replace,
    ("PATCH", f"{_COLL}/docs/*"): items.patch,
    ("DELETE", f"{_COLL}/docs/*"): items.delete,
    ("POST", f"{_COLL}/operations/*"): items.delete_partition_key,
    ("GET", f"{_COLL}/conflicts"): conflicts.list_conflicts,
    ("QUERY", f"{_COLL}/conflicts"): conflicts.list_conflicts,
    ("GET", f"{_COLL}/conflicts/*"): conflicts.conflict,
    ("DELETE", f"{_COLL}/conflicts/*"): conflicts.conflict,
}


def verb_of(method: str, headers: Mapping[str, str]) -> str:
    """What a request really is: REST puts queries and batches behind POST, changes behind GET."""
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


def respond(call: Call) -> Answer:
    """The answer to a request, which may be a refusal; it is counted."""
    try:
        if call.strike is not None and call.strike.refusal is not None:
            raise call.strike.refusal
        handle = _handler(call)
        authorize(call)
        answer = handle(call)
    except ServiceError as error:
        answer = refusal(error)
    except RecursionError:
        answer = refusal(bad_request("The document or query is nested too deeply."))
    container = _owner(call)
    if container is None:
        return answer
    _count(container, answer)
    return Answer(
        status=answer.status,
        body=answer.body,
        charge=answer.charge,
        throttled=answer.throttled,
        headers={**container.owner_headers, **answer.headers},
    )


def _handler(call: Call) -> Callable[[Call], Answer]:
    shape = call.shape
    try:
        return _ROUTES[call.verb, shape]
    except KeyError:
        raise not_covered(f"{call.verb} /{shape}") from None


def _owner(call: Call) -> Container | None:
    """Return the container of a request for items, None where it does not exist."""
    if not {"docs", "operations"}.intersection(call.segments[4:5]):
        return None
    database = call.account.databases.get(call.ids[0])
    return database.containers.get(call.ids[1]) if database else None


def _count(container: Container, answer: Answer) -> None:
    container.usage.requests += 1
    container.usage.throttled += answer.throttled > 0
    container.usage.throttled_operations += answer.throttled
    container.usage.charge += answer.charge
