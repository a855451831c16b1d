"""Offers: the throughput of databases and containers, read and replaced."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from azure.cosmos import CosmosClient as SyncClient
from azure.cosmos import PartitionKey, ThroughputProperties
from azure.cosmos.aio import CosmosClient

from local.cosmos import WELL_KNOWN_KEY, CosmosOptions, EmbeddedCosmos, run_in_thread
from tests.integration.cosmos.raw import ITEMS, QUERY, A, Raw

KEY = PartitionKey("/pk")
COLLS = "/dbs/db/colls"
SCALED = ThroughputProperties(auto_scale_max_throughput=4000, auto_scale_increment_percent=5)
MORE = ThroughputProperties(auto_scale_max_throughput=7000, auto_scale_increment_percent=20)


@pytest.fixture
def cosmos_options() -> dict[str, Any]:
    return {"partitions": 1}


@pytest.fixture
def sync_client() -> Iterator[SyncClient]:
    with (
        run_in_thread(CosmosOptions(port=0)) as server,
        SyncClient(server.endpoint, WELL_KNOWN_KEY) as opened,
    ):
        yield opened


def autoscale(properties: ThroughputProperties) -> tuple[int | None, int | None]:
    """Return maximum and increment."""
    return properties.auto_scale_max_throughput, properties.auto_scale_increment_percent


async def test_the_async_sdk_replaces_throughput(client: CosmosClient) -> None:
    """Fixed and autoscale, of databases and of containers."""
    fixed_database = await client.create_database("fixed", offer_throughput=400)
    scaled_database = await client.create_database("scaled", offer_throughput=SCALED)
    fixed = await fixed_database.create_container("fixed", KEY, offer_throughput=700)
    scaled = await fixed_database.create_container("scaled", KEY, offer_throughput=SCALED)
    for owner in (fixed_database, fixed):
        assert (await owner.replace_throughput(1200)).offer_throughput == 1200
        assert (await owner.get_throughput()).offer_throughput == 1200
    for owner in (scaled_database, scaled):
        assert autoscale(await owner.get_throughput()) == (4000, 5)
        await owner.replace_throughput(MORE)
        assert autoscale(await owner.get_throughput()) == (7000, 20)


def test_the_sync_sdk_replaces_throughput(sync_client: SyncClient) -> None:
    """As above."""
    database = sync_client.create_database("db", offer_throughput=SCALED)
    container = database.create_container("c", KEY, offer_throughput=400)

    database.replace_throughput(MORE)
    container.replace_throughput(500)

    assert autoscale(database.get_throughput()) == (7000, 20)
    assert container.get_throughput().offer_throughput == 500


async def test_what_has_no_throughput_has_no_offer(raw: Raw) -> None:
    """An empty list, as of an account with provisioned throughput."""
    container = (await raw.send("GET", f"{COLLS}/items")).body["_self"]
    await offers(raw, x_ms_offer_throughput="400")
    query = {
        "query": "SELECT * FROM root r WHERE r.resource=@link",
        "parameters": [{"name": "@link", "value": container}],
    }

    reply = await raw.send("POST", "/offers", query, QUERY)

    assert (reply.status, reply.body["Offers"]) == (200, [])


async def offers(raw: Raw, **headers: str) -> list[dict[str, Any]]:
    """Return the offers after another container was created with these headers."""
    body = {"id": "other", "partitionKey": {"paths": ["/pk"]}}
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    assert (await raw.send("POST", COLLS, body, sent)).status == 201
    listed: list[dict[str, Any]] = (await raw.send("GET", "/offers")).body["Offers"]
    return listed


@pytest.mark.parametrize("by_rid", [True, False])
async def test_an_offer_has_an_address(raw: Raw, *, by_rid: bool) -> None:
    """By its id, signed as the service signs resource ids, or as it is."""
    (offer,) = await offers(raw, x_ms_offer_throughput="400")

    read = await raw.send("GET", f"/{offer['_self']}", by_rid=by_rid)
    changed = {**offer, "content": {"offerThroughput": 900}}
    replaced = await raw.send("PUT", f"/{offer['_self']}", changed, by_rid=by_rid)

    assert read.body == offer
    assert (await raw.send("GET", f"/{offer['resource']}", by_rid=True)).body["id"] == "other"
    assert (replaced.status, replaced.body["content"]) == (200, {"offerThroughput": 900})


FIXED, AUTOSCALE = "x-ms-offer-throughput", "x-ms-cosmos-offer-autopilot-settings"
TOO_LITTLE, ODD = "less than required minimum throughput", "in increments of"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (FIXED, "300", TOO_LITTLE),
        (FIXED, "450", ODD),
        (FIXED, "1000100", ODD),
        (FIXED, "x", "whole number"),
        (AUTOSCALE, "{", "must be JSON"),
        (AUTOSCALE, "4000", "with maxThroughput"),
        (AUTOSCALE, '{"maxThroughput":-200}', TOO_LITTLE),
        (AUTOSCALE, '{"maxThroughput":1500}', ODD),
        (AUTOSCALE, '{"maxThroughput":"4000"}', ODD),
    ],
)
async def test_a_throughput_that_the_service_has_not_is_rejected(
    raw: Raw, name: str, value: str, message: str
) -> None:
    """400 with what is wrong, and nothing is created."""
    reply = await raw.send("POST", "/dbs", {"id": "other"}, {name: value})

    assert (reply.status, reply.body["code"]) == (400, "BadRequest")
    assert message in reply.body["message"]
    assert (await raw.send("GET", "/dbs/other")).status == 404


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="no content"),
        pytest.param({}, id="no throughput"),
        pytest.param({"offerThroughput": 1}, id="too little"),
        pytest.param({"offerAutopilotSettings": {"maxThroughput": 4000}}, id="the other kind"),
    ],
)
async def test_an_offer_that_the_service_has_not_is_rejected(raw: Raw, content: Any) -> None:
    """400, and the throughput stays."""
    (offer,) = await offers(raw, x_ms_offer_throughput="400")

    reply = await raw.send("PUT", f"/{offer['_self']}", {**offer, "content": content})

    assert reply.status == 400
    assert (await raw.send("GET", "/offers")).body["Offers"] == [offer]


async def test_a_replaced_throughput_holds_from_then_on(raw: Raw) -> None:
    """A partition that has overdrawn its budget takes requests again."""
    (offer,) = await offers(raw, x_ms_offer_throughput="400")
    path = ITEMS.replace("items", "other")
    large = {"id": "1", "pk": "a", "text": "x" * 1_000_000}
    assert (await raw.send("POST", path, large, A)).status == 201
    assert (await raw.send("GET", f"{path}/1", headers=A)).status == 429

    more = {**offer, "content": {"offerThroughput": 10_000}}
    await raw.send("PUT", f"/{offer['_self']}", more)

    assert (await raw.send("GET", f"{path}/1", headers=A)).status == 200


async def test_throughput_outlives_the_process(tmp_path: Path) -> None:
    """Of databases and containers, autoscale with its settings."""
    options = CosmosOptions(port=0, data=tmp_path)
    async with (
        EmbeddedCosmos(options) as server,
        CosmosClient(server.endpoint, WELL_KNOWN_KEY) as client,
    ):
        database = await client.create_database("db", offer_throughput=SCALED)
        await database.create_container("c", KEY, offer_throughput=400)
        await database.get_container_client("c").replace_throughput(500)

    async with (
        EmbeddedCosmos(options) as server,
        CosmosClient(server.endpoint, WELL_KNOWN_KEY) as client,
    ):
        database = client.get_database_client("db")
        container = await database.get_container_client("c").get_throughput()

        assert autoscale(await database.get_throughput()) == (4000, 5)
        assert container.offer_throughput == 500
