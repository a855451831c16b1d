"""A physical partition that is split on command: what clients and readers see of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient

from local.cosmos import WELL_KNOWN_KEY, CosmosOptions, EmbeddedCosmos
from local.cosmos.partitions import KeyRange, split_evenly, split_in_half
from local.host.rest import CosmosRestClient, CosmosRestError
from local.host.settings import Account


async def split(cosmos: EmbeddedCosmos, **query: str) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{cosmos.endpoint}_local/split", params={"container": "db/items", **query}
        ) as answer,
    ):
        return answer.status, await answer.json()


async def filled(client: CosmosClient) -> ContainerProxy:
    database = await client.create_database("db")
    container = await database.create_container("items", PartitionKey("/pk"))
    for number in range(40):
        await container.create_item({"id": str(number), "pk": f"k{number}"})
    return container


async def ids(container: ContainerProxy) -> list[str]:
    changes = container.query_items_change_feed(start_time="Beginning")
    return sorted([item["id"] async for item in changes], key=int)


def test_halves_cover_what_was_split() -> None:
    """Without a gap, over and over."""
    parts = [*split_evenly(1)]
    for _ in range(5):
        whole = parts.pop(0)
        known = [int(name) for part in (whole, *parts) for name in (part.id, *part.parents)]
        parts = [*split_in_half(whole, max(known) + 1), *parts]

    assert (parts[0].minimum, parts[-1].maximum) == ("", "FF")
    assert all(a.maximum == b.minimum for a, b in zip(parts, parts[1:], strict=False))  # noqa: RUF007 - reads better here
    assert len({part.id for part in parts}) == len(parts)
    assert parts[0].parents == ("0", "1", "3", "5", "7")


def test_a_split_border_is_a_key_of_full_length() -> None:
    """As the effective partition keys are."""
    left, right = split_in_half(KeyRange(id="0", minimum="", maximum="FF"), 1)

    assert left.maximum == right.minimum == "1" + "F" * 31


@pytest.mark.parametrize("cosmos_options", [{"partitions": 1}])
async def test_clients_go_on_after_a_split(
    cosmos: EmbeddedCosmos, client: CosmosClient, cosmos_options: dict[str, Any]
) -> None:
    """Everything is where it was, and can be changed; nothing comes twice in the feed."""
    container = await filled(client)

    status, body = await split(cosmos)
    await container.upsert_item({"id": "40", "pk": "k40"})

    assert (status, body) == (200, {"partition": "0", "children": ["1", "2"]})
    assert await ids(container) == [str(number) for number in range(41)]
    assert len([item async for item in container.query_items("SELECT * FROM c")]) == 41
    assert (await container.read_item("7", "k7"))["pk"] == "k7"
    ranges = [key_range async for key_range in container.read_feed_ranges(force_refresh=True)]
    assert len(ranges) == 2


@pytest.mark.parametrize("cosmos_options", [{"partitions": 1}])
async def test_the_parents_feed_is_gone_and_its_tokens_stay_good(
    cosmos: EmbeddedCosmos, client: CosmosClient, cosmos_options: dict[str, Any]
) -> None:
    """410 for the parent; the children's feeds go on from its LSN."""
    container = await filled(client)
    rest = CosmosRestClient(Account(endpoint=cosmos.endpoint.rstrip("/"), key=WELL_KNOWN_KEY))
    headers = {"a-im": "Incremental Feed", "if-none-match": '"40"'}

    def of(partition: str) -> dict[str, str]:
        return {**headers, "x-ms-documentdb-partitionkeyrangeid": partition}

    await split(cosmos)
    await container.create_item({"id": "new", "pk": "k0"})

    with pytest.raises(CosmosRestError) as gone:
        await rest.read("dbs/db/colls/items/docs", of("0"))
    answers = [await rest.read("dbs/db/colls/items/docs", of(child)) for child in ("1", "2")]
    await rest.close()
    assert (gone.value.status, gone.value.sub_status) == (410, 1002)
    changed = [item["id"] for answer in answers for item in answer.body.get("Documents", [])]
    assert changed == ["new"]


async def test_an_unknown_partition_or_container_is_said(
    cosmos: EmbeddedCosmos, client: CosmosClient
) -> None:
    """And nothing is split."""
    await filled(client)

    assert (await split(cosmos, partition="99"))[0] == 410
    assert (await split(cosmos, container="db/nothing"))[0] == 404


async def test_a_split_outlives_the_server(tmp_path: Path) -> None:
    """Parents included."""
    options = CosmosOptions(port=0, partitions=1, data=tmp_path)
    async with (
        EmbeddedCosmos(options) as server,
        CosmosClient(server.endpoint, WELL_KNOWN_KEY) as client,
    ):
        await filled(client)
        await split(server)

    async with (
        EmbeddedCosmos(options) as server,
        CosmosClient(server.endpoint, WELL_KNOWN_KEY) as client,
    ):
        container = client.get_database_client("db").get_container_client("items")
        ids_seen = await ids(container)
        again = await split(server)

    assert ids_seen == [str(number) for number in range(40)]
    assert again[1]["children"] == ["3", "4"]
