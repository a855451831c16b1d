"""The synchronous SDK against the embedded Cosmos DB, which runs in a thread."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from azure.cosmos import (
    ContainerProxy,
    CosmosClient,
    DatabaseProxy,
    PartitionKey,
    exceptions,
)

from local.cosmos import WELL_KNOWN_KEY, CosmosOptions, EmbeddedCosmos, run_in_thread

KEYS = [f"k{number}" for number in range(12)]


def values(items: Iterable[Any]) -> list[Any]:
    """Results of SELECT VALUE, which the SDK's types do not know."""
    return list(items)


@pytest.fixture
def server() -> Iterator[EmbeddedCosmos]:
    with run_in_thread(CosmosOptions(port=0, partitions=3)) as running:
        yield running


@pytest.fixture
def database(server: EmbeddedCosmos) -> Iterator[DatabaseProxy]:
    with CosmosClient(server.endpoint, WELL_KNOWN_KEY) as client:
        yield client.create_database("data base ü")


@pytest.fixture
def container(database: DatabaseProxy) -> ContainerProxy:
    """Twelve items over three physical partitions."""
    container = database.create_container("items %20", PartitionKey("/pk"))
    for number, key in enumerate(KEYS):
        container.create_item({"id": f"{number} ü%", "pk": key, "n": number})
    return container


def test_names_may_have_any_letters(container: ContainerProxy) -> None:
    """Signatures and paths survive blanks, percent signs and umlauts."""
    assert container.read_item("3 ü%", "k3")["n"] == 3


def test_a_query_over_all_partitions_must_be_asked_for(container: ContainerProxy) -> None:
    """As in the service, where it costs more."""
    with pytest.raises(exceptions.CosmosHttpResponseError, match="enablecrosspartition") as caught:
        list(container.query_items("SELECT * FROM c"))

    assert caught.value.status_code == 400


def test_queries_see_one_key_one_range_or_everything(container: ContainerProxy) -> None:
    """The ranges together are everything, without overlap."""
    query = "SELECT VALUE c.n FROM c"
    one = container.feed_range_from_partition_key("k5")
    ranges = list(container.read_feed_ranges())

    by_range = [values(container.query_items(query, feed_range=key_range)) for key_range in ranges]

    assert values(container.query_items(query, partition_key="k5")) == [5]
    assert values(container.query_items(query, feed_range=one)) == [5]
    assert len(ranges) == 3
    assert all(by_range)
    assert sorted(n for numbers in by_range for n in numbers) == list(range(12))


def test_an_order_holds_over_partitions_and_pages(container: ContainerProxy) -> None:
    """Page by page, by continuation."""
    pages = container.query_items(
        "SELECT VALUE c.n FROM c WHERE c.n >= @least ORDER BY c.n DESC",
        parameters=[{"name": "@least", "value": 2}],
        enable_cross_partition_query=True,
        max_item_count=4,
    ).by_page()

    assert [values(page) for page in pages] == [[11, 10, 9, 8], [7, 6, 5, 4], [3, 2]]


def test_counts_of_partitions_are_added(container: ContainerProxy) -> None:
    """By the SDK; one number over all partitions."""
    query = "SELECT VALUE COUNT(1) FROM c WHERE STARTSWITH(c.pk, 'k1')"

    assert values(container.query_items(query, enable_cross_partition_query=True)) == [3]


def test_many_items_are_read_at_once(container: ContainerProxy) -> None:
    """The SDK turns them into queries by physical partition."""
    items = container.read_items([(f"{number} ü%", key) for number, key in enumerate(KEYS)])

    assert [item["n"] for item in items] == list(range(12))


def test_the_change_feed_covers_every_way_to_begin(container: ContainerProxy) -> None:
    """Beginning, now, a time, one key, one range, a continuation."""
    feed = container.query_items_change_feed
    ago = datetime.now(timezone.utc) - timedelta(hours=1)
    one = container.feed_range_from_partition_key("k7")

    assert sorted(item["n"] for item in feed(start_time="Beginning")) == list(range(12))
    assert sorted(item["n"] for item in feed(start_time=ago)) == list(range(12))
    assert list(feed(start_time="Now")) == []
    assert [item["n"] for item in feed(start_time="Beginning", partition_key="k7")] == [7]
    assert [item["n"] for item in feed(start_time="Beginning", feed_range=one)] == [7]


def test_a_container_made_anew_is_noticed(
    container: ContainerProxy, server: EmbeddedCosmos
) -> None:
    """A client that knew the old one reads its definition again and goes on."""
    with CosmosClient(server.endpoint, WELL_KNOWN_KEY) as other:
        database = other.get_database_client("data base ü")
        database.delete_container("items %20")
        database.create_container("items %20", PartitionKey("/pk"))

    container.create_item({"id": "new", "pk": "a"})

    assert [item["id"] for item in container.query_items_change_feed(start_time="Beginning")] == [
        "new"
    ]


def test_a_patch_may_have_a_condition(container: ContainerProxy) -> None:
    """412 where it does not hold."""
    operations = [{"op": "incr", "path": "/count", "value": 1}]

    patched = container.patch_item("1 ü%", "k1", operations, filter_predicate="from c where c.n=1")
    with pytest.raises(exceptions.CosmosAccessConditionFailedError):
        container.patch_item("1 ü%", "k1", operations, filter_predicate="from c where c.n=2")

    assert patched["count"] == 1


def test_a_taken_port_is_an_error_and_leaves_no_thread(server: EmbeddedCosmos) -> None:
    """It is raised where the server was to be used."""
    with (
        pytest.raises(OSError, match="address already in use"),
        run_in_thread(CosmosOptions(port=server.port)),
    ):
        pass
