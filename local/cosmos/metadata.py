"""Requests for the account, its databases and its containers."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from local.cosmos.calls import CREATED, NO_CONTENT, Answer, Call, resource
from local.cosmos.errors import bad_request
from local.cosmos.jsontext import decode, encode
from local.cosmos.queries import question_of, running
from local.cosmos.quota import partition_statistics, quota_headers
from local.cosmos.sessions import session_token
from local.cosmos.throughput import autoscale, fixed

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
"""The configuration that the service tells its SDKs; the .NET SDK does not start without one."""

Body = dict[str, Any]


def account(call: Call) -> Answer:
    """GET /: the account names the endpoint that clients are to use."""
    location = [{"name": "Local", "databaseAccountEndpoint": call.endpoint}]
    return resource(
        {
            "_self": "",
            "id": "local",
            "_rid": "local",
            "media": "//media/",
            "addresses": "//addresses/",
            "_dbs": "//dbs/",
            "writableLocations": location,
            "readableLocations": location,
            "enableMultipleWriteLocations": call.account.multiple_write_locations,
            "userConsistencyPolicy": {"defaultConsistencyLevel": "Session"},
            "queryEngineConfiguration": _QUERY_ENGINE,
        }
    )


def list_databases(call: Call) -> Answer:
    """GET or query /dbs."""
    bodies = [_database_body(each) for each in call.account.databases.values()]
    return listed(call, "Databases", bodies, "")


def create_database(call: Call) -> Answer:
    """POST /dbs."""
    database = call.account.create_database(call.json_object().get("id"), _throughput(call))
    return resource(_database_body(database), CREATED)


def read_database(call: Call) -> Answer:
    """GET /dbs/{db}."""
    return resource(_database_body(call.account.database(call.ids[0])))


def delete_database(call: Call) -> Answer:
    """DELETE /dbs/{db}, with its containers."""
    call.account.delete_database(call.ids[0])
    return Answer(status=NO_CONTENT)


def list_containers(call: Call) -> Answer:
    """GET or query /dbs/{db}/colls."""
    owner = call.account.database(call.ids[0])
    bodies = [_container_body(each) for each in owner.containers.values()]
    return listed(call, "DocumentCollections", bodies, owner.rid)


def create_container(call: Call) -> Answer:
    """POST /dbs/{db}/colls."""
    owner = call.account.database(call.ids[0])
    created = call.account.create_container(owner, call.json_object(), _throughput(call))
    return resource(_container_body(created), CREATED)


def read_container(call: Call) -> Answer:
    """GET /dbs/{db}/colls/{coll}."""
    container = _container(call)
    answer = resource({**_container_body(container), **partition_statistics(call, container)})
    return replace(answer, headers=quota_headers(call, container))


def replace_container(call: Call) -> Answer:
    """PUT /dbs/{db}/colls/{coll}: another indexing policy or TTL."""
    container = _container(call)
    call.account.replace_container(container, call.json_object())
    return resource(_container_body(container))


def delete_container(call: Call) -> Answer:
    """DELETE /dbs/{db}/colls/{coll}, with its items."""
    call.account.delete_container(_container(call))
    return Answer(status=NO_CONTENT)


def statistics(found: Account) -> Answer:
    """GET /_local/statistics: what requests to the items of each container amounted to."""
    rows = {f"{each.database.id}/{each.id}": _usage(each) for each in found.containers()}
    totals = {
        name: round(sum(row[name] for row in rows.values()), 2)
        for name in ("requests", "throttled", "throttled_operations", "request_charge")
    }
    return resource({**totals, "containers": rows})


def split(found: Account, name: str, partition_id: str | None) -> Answer:
    """POST /_local/split: split a physical partition of a container `db/coll`.

    Without an id that one is split in which most has been written.

    Raises:
        ServiceError: 404 or 410, if there is no such container or partition.
    """
    database, _, coll = name.partition("/")
    container = found.container(database, coll)
    busiest = max(container.partitions, key=lambda each: each.lsn).range.id
    children = container.split(partition_id or busiest)
    return resource(
        {"split": partition_id or busiest, "into": [each.range.id for each in children]}
    )


def _usage(container: Container) -> dict[str, Any]:
    return {
        "documents": container.table.count(),
        "session_token": ",".join(
            session_token(partition.range.id, partition.lsn) for partition in container.partitions
        ),
        "requests": container.usage.requests,
        "throttled": container.usage.throttled,
        "throttled_operations": container.usage.throttled_operations,
        "request_charge": round(container.usage.charge, 2),
    }


def _container(call: Call) -> Container:
    return call.account.container(call.ids[0], call.ids[1])


def _throughput(call: Call) -> Throughput | None:
    """Return the throughput that a new database or container is to have, None for none."""
    ru_per_second, settings, ts = (
        call.whole_number(_OFFER),
        call.headers.get(_AUTOPILOT),
        int(time.time()),
    )
    if ru_per_second is not None and settings is not None:
        raise bad_request(f"Of the headers {_OFFER} and {_AUTOPILOT} only one can be sent.")
    if settings is None:
        return None if ru_per_second is None else fixed(ru_per_second, ts)
    try:
        return autoscale(decode(settings), ts)
    except ValueError:
        raise bad_request(f"Header {_AUTOPILOT} must be JSON.") from None


def listed(call: Call, name: str, bodies: list[Body], rid: str) -> Answer:
    """Answer with all resources of a kind, or with the results of a query of them."""
    if call.verb == "QUERY":
        question, parameters = question_of(call)
        with running():
            bodies = list(question.run(bodies, parameters))
    return resource({"_rid": rid, name: bodies, "_count": len(bodies)})


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
