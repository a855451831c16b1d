"""Requests for the account, its databases and its containers."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from local.cosmos.errors import bad_request
from local.cosmos.jsontext import decode, encode
from local.cosmos.messages import CREATED, NO_CONTENT, Request, Response, json_response
from local.cosmos.queries import parse_query, query_errors
from local.cosmos.quota import partition_statistics, quota_headers
from local.cosmos.sessions import session_token
from local.cosmos.throughput import parse_autoscale, parse_fixed

if TYPE_CHECKING:
    from local.cosmos.account import Account
    from local.cosmos.containers import Container, Database
    from local.cosmos.throughput import Throughput

_OFFER = "x-ms-offer-throughput"
_AUTOPILOT = "x-ms-cosmos-offer-autopilot-settings"
_QUERY_ENGINE = encode(
    {
        "maxSqlQueryInputLength": 262144,
        "maxJoinsPerSqlQuery": 10,
        "maxLogicalAndPerSqlQuery": 2000,
        "maxLogicalOrPerSqlQuery": 2000,
        "maxUdfRefPerSqlQuery": 10,
        "maxInExpressionItemsCount": 16000,
        "queryMaxInMemorySortDocumentCount": 500,
        "maxQueryRequestTimeoutFraction": 0.9,
        "sqlAllowNonFiniteNumbers": False,
        "sqlAllowAggregateFunctions": True,
        "sqlAllowSubQuery": True,
        "sqlAllowScalarSubQuery": True,
        "allowNewKeywords": True,
        "sqlAllowLike": True,
        "sqlAllowGroupByClause": True,
        "maxSpatialQueryCells": 12,
        "spatialMaxGeometryPointCount": 256,
        "sqlDisableOptimizationFlags": 0,
        "sqlAllowTop": True,
        "enableSpatialIndexing": True,
    }
)
"""The configuration that the service returns to SDKs; the .NET SDK does not start without it."""

Body = dict[str, Any]


def read_account(request: Request) -> Response:
    """Return the account, which names the endpoint for clients (GET /)."""
    location = [{"name": "Local", "databaseAccountEndpoint": request.endpoint}]
    return json_response(
        {
            "_self": "",
            "id": "local",
            "_rid": "local",
            "media": "//media/",
            "addresses": "//addresses/",
            "_dbs": "//dbs/",
            "writableLocations": location,
            "readableLocations": location,
            "enableMultipleWriteLocations": request.account.multiple_write_locations,
            "userConsistencyPolicy": {"defaultConsistencyLevel": request.account.consistency},
            "queryEngineConfiguration": _QUERY_ENGINE,
        }
    )


def list_databases(request: Request) -> Response:
    """List or query databases (GET or query /dbs)."""
    bodies = [_database_body(database) for database in request.account.databases.values()]
    return list_response(request, "Databases", bodies, "")


def create_database(request: Request) -> Response:
    """Create a database (POST /dbs)."""
    database = request.account.create_database(
        request.json_object().get("id"), _throughput(request)
    )
    return json_response(_database_body(database), CREATED)


def read_database(request: Request) -> Response:
    """Return a database (GET /dbs/{db})."""
    return json_response(_database_body(request.account.database(request.ids[0])))


def delete_database(request: Request) -> Response:
    """Delete a database with its containers (DELETE /dbs/{db})."""
    request.account.delete_database(request.ids[0])
    return Response(status=NO_CONTENT)


def list_containers(request: Request) -> Response:
    """List or query the containers of a database (GET or query /dbs/{db}/colls)."""
    database = request.account.database(request.ids[0])
    bodies = [_container_body(container) for container in database.containers.values()]
    return list_response(request, "DocumentCollections", bodies, database.rid)


def create_container(request: Request) -> Response:
    """Create a container (POST /dbs/{db}/colls)."""
    database = request.account.database(request.ids[0])
    container = request.account.create_container(
        database, request.json_object(), _throughput(request)
    )
    return json_response(_container_body(container), CREATED)


def read_container(request: Request) -> Response:
    """Return a container (GET /dbs/{db}/colls/{coll})."""
    container = _container(request)
    response = json_response(
        {**_container_body(container), **partition_statistics(request, container)}
    )
    return replace(response, headers=quota_headers(request, container))


def replace_container(request: Request) -> Response:
    """Replace the indexing policy or time to live of a container (PUT /dbs/{db}/colls/{coll})."""
    container = _container(request)
    request.account.replace_container(container, request.json_object())
    return json_response(_container_body(container))


def delete_container(request: Request) -> Response:
    """Delete a container with its items (DELETE /dbs/{db}/colls/{coll})."""
    request.account.delete_container(_container(request))
    return Response(status=NO_CONTENT)


def statistics(account: Account) -> Response:
    """Return the usage of all containers, with totals (GET /_local/statistics)."""
    rows = {
        f"{container.database.id}/{container.id}": _usage(container)
        for container in account.containers()
    }
    totals = {
        name: round(sum(row[name] for row in rows.values()), 2)
        for name in ("requests", "throttledRequests", "throttledOperations", "requestCharge")
    }
    return json_response({**totals, "containers": rows})


def split_partition(account: Account, name: str, partition_id: str | None) -> Response:
    """Split a physical partition of a container (POST /_local/split).

    Args:
        account: The account.
        name: The names of database and container, as `db/coll`.
        partition_id: The id of the partition, None for the one with the most writes.

    Raises:
        ServiceError: 404, if there is no such container; 410, if there is no such partition.
    """
    database, _, coll = name.partition("/")
    container = account.container(database, coll)
    busiest = max(container.partitions, key=lambda partition: partition.lsn).key_range.id
    children = container.split(partition_id or busiest)
    return json_response(
        {
            "partition": partition_id or busiest,
            "children": [child.key_range.id for child in children],
        }
    )


def _usage(container: Container) -> dict[str, Any]:
    return {
        "documents": container.table.count(),
        "sessionToken": ",".join(
            session_token(partition.key_range.id, partition.lsn)
            for partition in container.partitions
        ),
        "requests": container.usage.requests,
        "throttledRequests": container.usage.throttled,
        "throttledOperations": container.usage.throttled_operations,
        "requestCharge": round(container.usage.charge, 2),
    }


def _container(request: Request) -> Container:
    return request.account.container(request.ids[0], request.ids[1])


def _throughput(request: Request) -> Throughput | None:
    """Return the throughput of a new database or container, None for none."""
    ru_per_second, settings, ts = (
        request.integer_header(_OFFER),
        request.headers.get(_AUTOPILOT),
        int(time.time()),
    )
    if ru_per_second is not None and settings is not None:
        raise bad_request(f"Send only one of the headers {_OFFER} and {_AUTOPILOT}.")
    if settings is None:
        return None if ru_per_second is None else parse_fixed(ru_per_second, ts)
    try:
        return parse_autoscale(decode(settings), ts)
    except ValueError:
        raise bad_request(f"Header {_AUTOPILOT} must be JSON.") from None


def list_response(request: Request, name: str, bodies: list[Body], rid: str) -> Response:
    """Return all resources of a type, or the results of a query of them.

    Args:
        request: The request.
        name: The name of the list in the response.
        bodies: The resources.
        rid: The resource id of their parent.
    """
    if request.kind == "QUERY":
        query, parameters = parse_query(request)
        with query_errors():
            bodies = list(query.run(bodies, parameters))
    return json_response({"_rid": rid, name: bodies, "_count": len(bodies)})


def _database_body(database: Database) -> Body:
    return {
        "id": database.id,
        "_rid": database.rid,
        "_self": database.link,
        "_etag": f'"{database.ts:08x}"',
        "_colls": "colls/",
        "_users": "users/",
        "_ts": database.ts,
    }


def _container_body(container: Container) -> Body:
    return {
        **container.definition,
        "_rid": container.rid,
        "_self": container.link,
        "_etag": f'"{container.ts:08x}"',
        "_docs": "docs/",
        "_sprocs": "sprocs/",
        "_triggers": "triggers/",
        "_udfs": "udfs/",
        "_conflicts": "conflicts/",
        "_ts": container.ts,
    }
