"""The real SDK against the embedded Cosmos DB: databases, containers, items."""

from __future__ import annotations

import asyncio
import threading
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.cosmos import CosmosClient as SyncClient
from azure.cosmos import PartitionKey, exceptions
from azure.cosmos.aio import ContainerProxy, CosmosClient

from local.cosmos import WELL_KNOWN_KEY, CosmosOptions, EmbeddedCosmos
from tests.support import until


@pytest.fixture
async def container(client: CosmosClient) -> ContainerProxy:
    database = await client.create_database_if_not_exists("db")
    return await database.create_container_if_not_exists("items", PartitionKey("/pk"))


async def test_databases_and_containers_live_and_die(client: CosmosClient) -> None:
    """Create, list, read, delete; 409 and 404 as the service says them."""
    database = await client.create_database("one")
    await database.create_container("c", PartitionKey("/pk"), default_ttl=-1)

    assert [database["id"] async for database in client.list_databases()] == ["one"]
    assert [container["id"] async for container in database.list_containers()] == ["c"]
    with pytest.raises(exceptions.CosmosResourceExistsError):
        await client.create_database("one")
    with pytest.raises(exceptions.CosmosResourceExistsError):
        await database.create_container("c", PartitionKey("/pk"))

    await database.delete_container("c")
    await client.delete_database("one")

    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        await database.read()


async def test_a_containers_definition_is_kept(client: CosmosClient) -> None:
    """Partition key, indexing policy and TTL, with what the service adds."""
    policy: Any = {
        "indexingMode": "consistent",
        "includedPaths": [],
        "excludedPaths": [{"path": "/*"}],
    }
    database = await client.create_database("db")
    await database.create_container(
        "c", PartitionKey("/a/b"), indexing_policy=policy, default_ttl=60
    )

    definition = await database.get_container_client("c").read()

    assert definition["partitionKey"] == {"paths": ["/a/b"], "kind": "Hash", "version": 2}
    assert definition["indexingPolicy"] == {
        **policy,
        "automatic": True,
        "excludedPaths": [*policy["excludedPaths"], {"path": '/"_etag"/?'}],
    }
    assert definition["defaultTtl"] == 60


async def test_items_live_and_die(container: ContainerProxy) -> None:
    """Create, read, replace, upsert, patch, delete."""
    await container.create_item({"id": "1", "pk": "a", "n": 1})
    await container.replace_item("1", {"id": "1", "pk": "a", "n": 2, "list": [1]})
    await container.upsert_item({"id": "2", "pk": "a"})
    patched = await container.patch_item(
        "1",
        "a",
        [
            {"op": "incr", "path": "/n", "value": 5},
            {"op": "add", "path": "/list/-", "value": 2},
            {"op": "set", "path": "/more", "value": {"x": None}},
        ],
    )
    read = await container.read_item("1", "a")

    assert (read["n"], read["list"], read["more"]) == (7, [1, 2], {"x": None})
    assert read["_etag"] == patched["_etag"]
    assert set(read) >= {"_rid", "_self", "_etag", "_attachments", "_ts"}

    await container.delete_item("1", "a")
    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        await container.read_item("1", "a")


async def test_ids_are_unique_inside_a_partition_key_only(container: ContainerProxy) -> None:
    """The same id under another key is another item."""
    await container.create_item({"id": "1", "pk": "a"})
    await container.create_item({"id": "1", "pk": "b"})

    with pytest.raises(exceptions.CosmosResourceExistsError):
        await container.create_item({"id": "1", "pk": "a"})


@pytest.mark.parametrize("key", ["text", "ü", 5, 1.5, True, None])
async def test_any_scalar_may_be_a_partition_key(container: ContainerProxy, key: Any) -> None:
    """As in the service."""
    await container.create_item({"id": "1", "pk": key})

    assert (await container.read_item("1", key))["pk"] == key


async def test_an_etag_guards_against_lost_updates(container: ContainerProxy) -> None:
    """412 once the item was changed."""
    first = await container.create_item({"id": "1", "pk": "a"})
    await container.replace_item("1", {"id": "1", "pk": "a", "n": 1})

    with pytest.raises(exceptions.CosmosAccessConditionFailedError):
        await container.replace_item(
            "1",
            {"id": "1", "pk": "a", "n": 2},
            etag=first["_etag"],
            match_condition=MatchConditions.IfNotModified,
        )
    with pytest.raises(exceptions.CosmosAccessConditionFailedError):
        await container.delete_item(
            "1", "a", etag=first["_etag"], match_condition=MatchConditions.IfNotModified
        )


@pytest.mark.filterwarnings("ignore:Sending a large body")  # the SDK sends it in one piece
@pytest.mark.parametrize(
    ("document", "status"),
    [
        pytest.param({"id": "", "pk": "a"}, 400, id="empty id"),
        pytest.param({"id": "x" * 1024, "pk": "a"}, 400, id="long id"),
        pytest.param({"id": "1", "pk": ["a"]}, 400, id="key is no scalar"),
        pytest.param({"id": "1", "pk": "a", "x": "y" * 2_100_000}, 413, id="over 2 MB"),
    ],
)
async def test_what_the_service_rejects_is_rejected(
    container: ContainerProxy, document: dict[str, Any], status: int
) -> None:
    """With its statuses."""
    with pytest.raises(exceptions.CosmosHttpResponseError) as caught:
        await container.create_item(document)

    assert caught.value.status_code == status


async def test_a_missing_container_is_told_from_a_missing_item(client: CosmosClient) -> None:
    """404, and 404/1003 for requests below it."""
    database = await client.create_database("db")

    with pytest.raises(exceptions.CosmosResourceNotFoundError):
        await database.get_container_client("nowhere").upsert_item({"id": "1", "pk": "a"})


@pytest.mark.parametrize("key", ["AAAA", "bm90IHRoZSBrZXk="])
async def test_another_key_is_rejected(cosmos: EmbeddedCosmos, key: str) -> None:
    """401, whatever is asked."""
    stranger = CosmosClient(cosmos.endpoint, key)

    with pytest.raises(exceptions.CosmosHttpResponseError) as caught:
        await stranger.create_database("db")
    await stranger.close()

    assert caught.value.status_code == 401


async def test_no_body_comes_back_when_none_is_wanted(container: ContainerProxy) -> None:
    """It would cost bandwidth only."""
    answer = await container.upsert_item({"id": "1", "pk": "a"}, no_response=True)

    assert dict(answer) == {}


@pytest.mark.parametrize("cosmos_options", [{"partitions": 1, "throughput": 20}])
async def test_a_used_up_budget_is_a_429_with_a_hint(
    cosmos: EmbeddedCosmos, cosmos_options: dict[str, Any]
) -> None:
    """3200, and after the hint it goes on."""
    async with CosmosClient(cosmos.endpoint, WELL_KNOWN_KEY, retry_throttle_total=-1) as client:
        database = await client.create_database("db")
        container = await database.create_container("c", PartitionKey("/pk"))

        async def use_up() -> None:
            for number in range(20):
                await container.upsert_item({"id": str(number), "pk": "a"})

        with pytest.raises(exceptions.CosmosHttpResponseError) as caught:
            await use_up()
        hint = int(caught.value.headers["x-ms-retry-after-ms"])
        await asyncio.sleep(hint / 1000)
        await container.upsert_item({"id": "x", "pk": "a"})

    assert (caught.value.status_code, caught.value.sub_status) == (429, 3200)
    assert 0 < hint < 1000


async def test_all_items_can_be_listed(container: ContainerProxy) -> None:
    """Page by page and partition after partition, without a query."""
    for number in range(7):
        await container.create_item({"id": str(number), "pk": f"k{number}"})

    pages = container.read_all_items(max_item_count=3).by_page()
    ids_by_page = [[item["id"] async for item in page] async for page in pages]

    assert {len(page) for page in ids_by_page} <= {1, 2, 3}
    assert sorted(chain.from_iterable(ids_by_page)) == [str(number) for number in range(7)]


async def test_charges_are_told(container: ContainerProxy) -> None:
    """In every answer, as an account charged them."""
    seen: list[float] = []

    def note(headers: Any, _: object) -> None:
        seen.append(float(headers["x-ms-request-charge"]))

    await container.upsert_item({"id": "1", "pk": "a"}, response_hook=note)
    await container.upsert_item({"id": "1", "pk": "a"}, response_hook=note)
    await container.read_item("1", "a", response_hook=note)

    created, replaced, read = seen
    assert (created, replaced, read) == (5.9, 10.29, 1)


async def test_items_expire(client: CosmosClient) -> None:
    """After their own time to live, or the container's."""
    database = await client.create_database("db")
    container = await database.create_container("c", PartitionKey("/pk"), default_ttl=-1)
    await container.create_item({"id": "lock", "pk": "a", "ttl": 1})
    await container.create_item({"id": "kept", "pk": "a"})

    async def only_kept() -> bool:
        items = container.query_items("SELECT c.id FROM c", partition_key="a")
        return [item["id"] async for item in items] == ["kept"]

    await until(only_kept)
    await container.create_item({"id": "lock", "pk": "a", "ttl": 1})


async def test_state_on_disk_outlives_the_server(tmp_path: Path) -> None:
    """Items, ETags, LSNs and resource ids are as before."""
    options = CosmosOptions(port=0, partitions=2, data=tmp_path)

    async def visit() -> tuple[dict[str, Any], list[int]]:
        async with (
            EmbeddedCosmos(options) as server,
            CosmosClient(server.endpoint, WELL_KNOWN_KEY) as client,
        ):
            database = await client.create_database_if_not_exists("db")
            container = await database.create_container_if_not_exists("c", PartitionKey("/pk"))
            if not [item async for item in container.query_items("SELECT * FROM c")]:
                await container.create_item({"id": "1", "pk": "a"})
            changes = container.query_items_change_feed(start_time="Beginning")
            lsns = [item["_lsn"] async for item in changes]
            return dict(await container.read_item("1", "a")), lsns

    assert await visit() == await visit()


async def test_statistics_tell_what_requests_amounted_to(
    cosmos: EmbeddedCosmos, container: ContainerProxy
) -> None:
    """Counts only, for whoever watches."""
    import aiohttp  # noqa: PLC0415 - used here only

    await container.upsert_item({"id": "1", "pk": "a"})

    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{cosmos.endpoint}_local/statistics") as response,
    ):
        usage = (await response.json())["containers"]["db/items"]

    assert (usage["documents"], usage["throttledRequests"]) == (1, 0)
    assert usage["requestCharge"] >= 5.9


async def test_the_synchronous_sdk_is_served_as_well(cosmos: EmbeddedCosmos) -> None:
    """Its requests are the same."""
    results: list[Any] = []

    def work() -> None:
        with SyncClient(cosmos.endpoint, WELL_KNOWN_KEY) as client:
            database = client.create_database_if_not_exists("db")
            container = database.create_container_if_not_exists("c", PartitionKey("/pk"))
            for number in range(5):
                container.upsert_item({"id": str(number), "pk": f"k{number}", "n": number})
            query = "SELECT VALUE c.n FROM c WHERE c.n > 1 ORDER BY c.n DESC"
            results.append(list(container.query_items(query, enable_cross_partition_query=True)))
            results.append(
                sorted(
                    item["id"] for item in container.query_items_change_feed(start_time="Beginning")
                )
            )

    thread = threading.Thread(target=work)
    thread.start()

    async def done() -> bool:
        return not thread.is_alive()

    await until(done)
    assert results == [[4, 3, 2], ["0", "1", "2", "3", "4"]]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "sprocs"), ("POST", "triggers"), ("GET", "udfs")]
)
async def test_what_is_not_covered_is_rejected_by_name(
    cosmos: EmbeddedCosmos, container: ContainerProxy, method: str, path: str
) -> None:
    """A clear 4xx, never a wrong answer."""
    from local.host.rest import CosmosRestClient, CosmosRestError  # noqa: PLC0415 - used here only
    from local.host.settings import Account  # noqa: PLC0415 - used here only

    rest = CosmosRestClient(Account(endpoint=cosmos.endpoint.rstrip("/"), key=WELL_KNOWN_KEY))

    with pytest.raises(CosmosRestError) as caught:
        await rest.read(f"dbs/db/colls/items/{path}")
    await rest.close()

    assert 400 <= caught.value.status < 500
