"""Requests for the account, its databases and its containers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from local.cosmos.errors import bad_request
from local.cosmos.queries import is_query
from local.cosmos.query import QueryError, parse
from local.cosmos.wire import json_answer, json_object

if TYPE_CHECKING:
    from aiohttp import web

    from local.cosmos.account import Account, Container, Database


def account(endpoint: str) -> web.Response:
    """GET /: the account names the endpoint that clients are to use."""
    location = [{"name": "Local", "databaseAccountEndpoint": endpoint}]
    return json_answer(
        {
            "_self": "",
            "id": "local",
            "_rid": "local",
            "media": "//media/",
            "addresses": "//addresses/",
            "_dbs": "//dbs/",
            "writableLocations": location,
            "readableLocations": location,
            "enableMultipleWriteLocations": False,
            "userConsistencyPolicy": {"defaultConsistencyLevel": "Session"},
            "queryEngineConfiguration": "{}",
        }
    )


async def databases(request: web.Request, found: Account) -> web.Response:
    """/dbs: create, list or query databases."""
    if request.method == "POST" and not is_query(request):
        database = found.create_database((await json_object(request)).get("id"))
        return json_answer(_database_body(database), status=201)
    bodies = [_database_body(each) for each in found.databases.values()]
    return json_answer(await _listed(request, "Databases", bodies, ""))


def database(request: web.Request, found: Account) -> web.Response:
    """/dbs/{db}: read or delete."""
    name = request.match_info["db"]
    if request.method == "DELETE":
        found.delete_database(name)
        return json_answer({}, status=204)
    return json_answer(_database_body(found.database(name)))


async def containers(request: web.Request, found: Account) -> web.Response:
    """/dbs/{db}/colls: create, list or query containers."""
    owner = found.database(request.match_info["db"])
    if request.method == "POST" and not is_query(request):
        throughput = request.headers.get("x-ms-offer-throughput")
        body = await json_object(request)
        created = found.create_container(owner, body, int(throughput) if throughput else None)
        return json_answer(_container_body(created), status=201)
    bodies = [_container_body(each) for each in owner.containers.values()]
    return json_answer(await _listed(request, "DocumentCollections", bodies, owner.rid))


async def container(request: web.Request, found: Account) -> web.Response:
    """/dbs/{db}/colls/{coll}: read, replace or delete."""
    current = found.container(request.match_info["db"], request.match_info["coll"])
    if request.method == "DELETE":
        found.delete_container(current)
        return json_answer({}, status=204)
    if request.method == "PUT":
        current = found.replace_container(current, await json_object(request))
    return json_answer(_container_body(current))


def statistics(found: Account) -> web.Response:
    """GET /_local/statistics: what requests to each container amounted to."""
    rows = {
        f"{owner.id}/{each.id}": {
            "documents": found.storage.count(each.number),
            "requests": each.usage.requests,
            "throttled": each.usage.throttled,
            "request_charge": round(each.usage.charge, 2),
        }
        for owner in found.databases.values()
        for each in owner.containers.values()
    }
    totals = {
        name: sum(row[name] for row in rows.values())
        for name in ("requests", "throttled", "request_charge")
    }
    return json_answer({**totals, "containers": rows})


async def _listed(
    request: web.Request, key: str, bodies: list[dict[str, Any]], rid: str
) -> dict[str, Any]:
    if request.method == "POST":
        question = await json_object(request)
        parameters = {each["name"]: each["value"] for each in question.get("parameters") or ()}
        try:
            bodies = list(parse(str(question.get("query"))).run(bodies, parameters))
        except QueryError as error:
            raise bad_request(str(error)) from None
    return {"_rid": rid, key: bodies, "_count": len(bodies)}


def _database_body(database: Database) -> dict[str, Any]:
    return {
        "id": database.id,
        "_rid": database.rid,
        "_self": f"dbs/{database.rid}/",
        "_etag": f'"{database.ts:08x}"',
        "_colls": "colls/",
        "_users": "users/",
        "_ts": database.ts,
    }


def _container_body(container: Container) -> dict[str, Any]:
    return {
        **container.definition,
        "_rid": container.rid,
        "_self": f"dbs/{container.database.rid}/colls/{container.rid}/",
        "_etag": f'"{container.ts:08x}"',
        "_docs": "docs/",
        "_sprocs": "sprocs/",
        "_triggers": "triggers/",
        "_udfs": "udfs/",
        "_conflicts": "conflicts/",
        "_ts": container.ts,
    }
