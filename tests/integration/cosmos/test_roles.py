"""Roles: a key may be bound to the data actions of role definitions."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.cosmos import exceptions
from azure.cosmos.aio import ContainerProxy, CosmosClient

from local.cosmos import CosmosOptions, EmbeddedCosmos, Role
from tests.integration.cosmos.raw import BATCH, BULK, FEED, ITEMS, QUERY, A, Raw

ACCOUNT = "Microsoft.DocumentDB/databaseAccounts"
CONTAINERS = f"{ACCOUNT}/sqlDatabases/containers"
METADATA = f"{ACCOUNT}/readMetadata"
COLL = "/dbs/db/colls/items"
BODY = {"id": "1", "pk": "a"}
UPSERT = {**A, "x-ms-documentdb-is-upsert": "true"}
PLAN = {**QUERY, "x-ms-cosmos-is-query-plan-request": "True"}
DELETE_KEY = ("POST", f"{COLL}/operations/partitionkeydelete", None, A)
ALL = {"query": "SELECT * FROM c"}


def key(name: str) -> str:
    """Return a key for a principal."""
    return base64.b64encode(name.encode()).decode()


def operations(*kinds: str) -> list[dict[str, Any]]:
    """Return the operations of a batch, all on one item."""
    return [
        {"operationType": kind, "id": "1", "resourceBody": BODY, "partitionKey": '["a"]'}
        for kind in kinds
    ]


REQUESTS: dict[str, tuple[str, str, Any, dict[str, str]]] = {
    METADATA: ("GET", COLL, None, {}),
    f"{CONTAINERS}/readChangeFeed": ("GET", ITEMS, None, FEED),
    f"{CONTAINERS}/executeQuery": ("POST", ITEMS, ALL, QUERY),
    f"{CONTAINERS}/items/create": ("POST", ITEMS, {"id": "2", "pk": "a"}, A),
    f"{CONTAINERS}/items/upsert": ("POST", ITEMS, BODY, UPSERT),
    f"{CONTAINERS}/items/read": ("GET", f"{ITEMS}/1", None, A),
    f"{CONTAINERS}/items/replace": ("PUT", f"{ITEMS}/1", BODY, A),
    f"{CONTAINERS}/items/delete": ("DELETE", f"{ITEMS}/1", None, A),
}
"""One request for each data action; each takes that action and no other."""


@pytest.fixture
def cosmos_options() -> dict[str, Any]:
    """A principal for each data action, for all but one, and for patterns and scopes."""
    one = {action: [Role((action,))] for action in REQUESTS}
    others = {f"not {action}": [Role(tuple(REQUESTS.keys() - {action}))] for action in REQUESTS}
    special = {
        "everything below": [Role((METADATA, f"{CONTAINERS}/*"), COLL)],
        "all items": [Role((f"{CONTAINERS}/items/*",))],
        "elsewhere": [Role((METADATA, f"{CONTAINERS}/*"), "/dbs/db/colls/item")],
        "database": [Role((METADATA,), "/dbs/db"), Role((f"{CONTAINERS}/items/read",), COLL)],
        "nothing": [],
    }
    roles = {**one, **others, **special}
    return {"partitions": 1, "roles": {key(name): role for name, role in roles.items()}}


@pytest.fixture
async def raw(raw: Raw) -> Raw:
    """A container with one item."""
    await raw.send("POST", ITEMS, BODY, A)
    return raw


async def status(raw: Raw, name: str, request: tuple[str, str, Any, dict[str, str]]) -> int:
    """Return the status of a request by a principal."""
    return (await raw.send(*request, key=key(name))).status


@pytest.mark.parametrize("action", REQUESTS)
async def test_a_request_takes_its_data_action(raw: Raw, action: str) -> None:
    """With it alone it succeeds, with all others it does not."""
    assert await status(raw, f"not {action}", REQUESTS[action]) == 403
    assert await status(raw, action, REQUESTS[action]) < 300


@pytest.mark.parametrize(
    ("name", "request_", "expected"),
    [
        pytest.param("everything below", REQUESTS[METADATA], 200, id="metadata of a container"),
        pytest.param("everything below", ("GET", f"{COLL}/pkranges", None, {}), 200, id="ranges"),
        pytest.param("everything below", ("GET", "", None, {}), 200, id="the account"),
        pytest.param("everything below", ("GET", "/dbs/db", None, {}), 403, id="a database"),
        pytest.param("everything below", ("GET", "/dbs", None, {}), 403, id="databases"),
        pytest.param("database", ("GET", "/dbs/db", None, {}), 200, id="database with a role"),
        pytest.param("database", ("GET", "/dbs/db/colls", None, {}), 200, id="its containers"),
        pytest.param("database", REQUESTS[METADATA], 200, id="a container of it"),
        pytest.param("database", ("GET", f"{ITEMS}/1", None, A), 200, id="roles add up"),
        pytest.param("elsewhere", ("GET", f"{ITEMS}/1", None, A), 403, id="another scope"),
        pytest.param("nothing", ("GET", "", None, {}), 403, id="no role at all"),
        pytest.param("everything below", ("POST", ITEMS, ALL, PLAN), 200, id="query plan"),
        pytest.param("all items", ("POST", ITEMS, ALL, PLAN), 403, id="no query plan"),
        pytest.param("everything below", ("GET", ITEMS, None, {}), 200, id="all items"),
        pytest.param(
            *("all items", ("POST", ITEMS, operations("Upsert", "Delete"), BATCH), 200),
            id="batch",
        ),
        pytest.param(
            *(f"not {CONTAINERS}/items/delete",),
            ("POST", ITEMS, operations("Upsert", "Delete"), BATCH),
            403,
            id="batch with a delete",
        ),
        pytest.param(
            *(f"not {CONTAINERS}/items/delete",),
            ("POST", ITEMS, operations("Upsert", "Delete"), BULK),
            403,
            id="bulk with a delete",
        ),
        pytest.param("all items", DELETE_KEY, 200, id="deleting a partition key"),
        pytest.param(f"not {CONTAINERS}/items/delete", DELETE_KEY, 403, id="deleting none"),
        pytest.param("all items", ("POST", f"{ITEMS}/1", None, {}), 405, id="not covered at all"),
    ],
)
async def test_roles_hold_for_their_scope(
    raw: Raw, name: str, request_: tuple[str, str, Any, dict[str, str]], expected: int
) -> None:
    """And for each operation of a batch."""
    assert await status(raw, name, request_) == expected


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/dbs", {"id": "x"}),
        ("DELETE", "/dbs/db", None),
        ("POST", "/dbs/db/colls", {"id": "x", "partitionKey": {"paths": ["/pk"]}}),
        ("PUT", COLL, {"id": "items", "partitionKey": {"paths": ["/pk"]}}),
        ("DELETE", COLL, None),
        ("GET", "/offers", None),
    ],
)
async def test_no_role_allows_management(raw: Raw, method: str, path: str, body: Any) -> None:
    """403/5300, as in the service, which has other roles for it."""
    reply = await raw.send(method, path, body, key=key("everything below"))

    assert (reply.status, reply.sub_status, reply.body["code"]) == (403, 5300, "Forbidden")
    assert f"The given request [{method} {path}] cannot be authorized" in reply.body["message"]


async def test_a_error_names_principal_action_and_resource(raw: Raw) -> None:
    """With the sub-status of metadata, of a link by names and of one by resource ids."""
    item = (await raw.send("GET", f"{ITEMS}/1", headers=A)).body["_self"]
    replies = [
        await raw.send("GET", COLL, key=key("nothing")),
        await raw.send("GET", f"{ITEMS}/1", headers=A, key=key("nothing")),
        await raw.send("GET", f"/{item}", headers=A, key=key("nothing"), by_rid=True),
    ]

    assert [reply.sub_status for reply in replies] == [5301, 5302, 5303]
    actions = (METADATA, f"{CONTAINERS}/items/read", f"{CONTAINERS}/items/read")
    for reply, action in zip(replies, actions, strict=True):
        message = reply.body["message"]
        assert message.startswith("Request blocked by Auth local : Request is blocked because ")
        assert f"perform action [{action}] on resource [dbs/db/colls/items]." in message
        assert key("nothing") not in message


@pytest.fixture
async def appender(raw: Raw, cosmos: EmbeddedCosmos) -> AsyncIterator[ContainerProxy]:
    """The real SDK with rights to a container alone."""
    async with CosmosClient(cosmos.endpoint, key("everything below")) as client:
        yield client.get_database_client("db").get_container_client("items")


async def test_the_sdk_works_with_rights_to_one_container(appender: ContainerProxy) -> None:
    """It reads the account and the container by itself; others are rejected."""
    await appender.create_item({"id": "2", "pk": "a"})

    query = appender.query_items("SELECT * FROM c", partition_key="a")
    assert [item["id"] async for item in query] == ["1", "2"]
    with pytest.raises(exceptions.CosmosHttpResponseError) as caught:
        await appender.get_throughput()
    assert (caught.value.status_code, caught.value.sub_status) == (403, 5300)


@pytest.mark.parametrize("name", ["key", "role"])
def test_a_key_must_be_base64(name: str) -> None:
    """The account's and those of principals."""
    options = CosmosOptions(key="ü") if name == "key" else CosmosOptions(roles={"ü": []})

    with pytest.raises(ValueError, match="ASCII"):
        EmbeddedCosmos(options)
