"""The host goes on whatever the database answers, and stops when it answers nothing."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient, DatabaseProxy

from core.settings import Settings
from local.cosmos import EmbeddedCosmos
from local.run import _provision
from tests.integration.host.hosting import Received, all_owned, host, leases, write
from tests.integration.host.meddling import Meddler, SpoiledResponse
from tests.support import until


@pytest.fixture
def replica_lag() -> float:
    """None: these tests are about answers that cannot be used, whatever their age."""
    return 0.0


@pytest.fixture
async def meddler(cosmos: EmbeddedCosmos) -> AsyncIterator[Meddler]:
    async with Meddler(cosmos.endpoint) as proxy:
        yield proxy


def html(answer: SpoiledResponse) -> None:
    answer.status, answer.body = 502, b"<html><h1>Bad Gateway</h1></html>"
    answer.headers = {"content-type": "text/html"}


def html_200(answer: SpoiledResponse) -> None:
    html(answer)
    answer.status = 200


def cut(answer: SpoiledResponse) -> None:
    answer.is_cut = True


def truncated(answer: SpoiledResponse) -> None:
    answer.body = answer.body[: len(answer.body) // 2]


def a_list(answer: SpoiledResponse) -> None:
    answer.body = b'[{"Documents": []}]'


def other_members(answer: SpoiledResponse) -> None:
    answer.body = b'{"Documents": 5, "PartitionKeyRanges": [{"id": 7}], "_rid": "?", "Owner": 7}'


def without_headers(answer: SpoiledResponse) -> None:
    answer.headers = {}


def odd_headers(answer: SpoiledResponse) -> None:
    answer.status = 429
    answer.headers.update({"x-ms-retry-after-ms": "soon", "x-ms-substatus": "x"})


def odd_sub_status(answer: SpoiledResponse) -> None:
    answer.status = 404
    answer.headers["x-ms-substatus"] = "nothing"


def tracebacks(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return the records of the host that have a traceback; the proxy may log some, too."""
    return [
        record
        for record in caplog.records
        if record.exc_info and record.name.startswith("local.host")
    ]


SPOILT = [
    *(html, html_200, cut, truncated, a_list, other_members),
    *(without_headers, odd_headers, odd_sub_status),
]


@pytest.mark.parametrize("spoil", SPOILT)
async def test_spoilt_answers_are_named_and_tried_again(
    cosmos: EmbeddedCosmos,
    events: ContainerProxy,
    meddler: Meddler,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[SpoiledResponse], None],
) -> None:
    """At the start and later; everything is delivered once they are good again."""
    received = Received()
    meddler.spoil = spoil

    async def met(count: int) -> bool:
        return meddler.spoiled >= count

    async with host(cosmos, received, endpoint=meddler.endpoint):
        await until(lambda: met(2))
        meddler.spoil = None
        await write(events, *"abcd")
        await received.complete(4)
        meddler.spoil = spoil
        before = meddler.spoiled
        await until(lambda: met(before + 8))
        meddler.spoil = None
        await write(events, *"efgh")
        await received.complete(8)

    problems = [
        record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING
    ]
    assert set(received.ids) == set("abcdefgh")
    assert any("dbs/db" in problem for problem in problems) or spoil is odd_headers
    assert not tracebacks(caplog)


async def damage_one_lease(
    cosmos: EmbeddedCosmos, database: DatabaseProxy, damage: dict[str, Any]
) -> dict[str, Any]:
    """Let a host create the leases, damage the first one, and return it as it was."""
    async with host(cosmos, Received()):
        await until(lambda: all_owned(database))
    container = database.get_container_client("leases")
    whole, *_ = await leases(database)
    await container.replace_item(whole["id"], {**whole, **damage})
    return whole


@pytest.mark.parametrize(
    "damage",
    [
        {"timestamp": "yesterday"},
        {"timestamp": 5},
        {"timestamp": "2026-02-30T00:00:00Z"},
        {"LeaseToken": None},
        {"LeaseToken": ["0"]},
        {"Owner": {"name": "x"}},
        {"ContinuationToken": {"a": 1}},
        {"FeedRange": {"Range": 5}},
        {"FeedRange": {"Range": {"min": 0, "max": "FF"}}},
    ],
    ids=str,
)
async def test_a_damaged_lease_is_named_and_the_others_go_on(
    cosmos: EmbeddedCosmos,
    database: DatabaseProxy,
    events: ContainerProxy,
    caplog: pytest.LogCaptureFixture,
    damage: dict[str, Any],
) -> None:
    """Its events are delivered once it is repaired."""
    received, names = Received(), [f"e{number}" for number in range(24)]
    container = database.get_container_client("leases")
    whole = await damage_one_lease(cosmos, database, damage)

    async with host(cosmos, received):
        await write(events, *names)

        async def named() -> bool:
            return "lease.invalid" in caplog.text and len(set(received.ids)) > 6

        await until(named)
        assert set(received.ids) < set(names)
        await container.replace_item(whole["id"], whole)
        await received.complete(len(names))

    assert whole["id"] in caplog.text
    assert received.ids == sorted(names)


@pytest.mark.parametrize(
    "token",
    ["nonsense", '"7\n8"', '"-1"', ""],
    ids=["words", "a header's end", "a number", "empty"],
)
async def test_a_checkpoint_that_the_database_rejects_holds_up_its_lease_only(
    cosmos: EmbeddedCosmos,
    database: DatabaseProxy,
    events: ContainerProxy,
    caplog: pytest.LogCaptureFixture,
    token: str,
) -> None:
    """Whatever it says to the token, the host goes on."""
    received, names = Received(), [f"e{number}" for number in range(24)]
    container = database.get_container_client("leases")
    whole = await damage_one_lease(cosmos, database, {"ContinuationToken": token})

    async with host(cosmos, received):
        await write(events, *names)

        async def others_delivered() -> bool:
            return len(set(received.ids)) > 6

        await until(others_delivered)
    await container.replace_item(whole["id"], whole)
    async with host(cosmos, received):
        await received.complete(len(names))

    assert set(received.ids) == set(names)
    assert not tracebacks(caplog)


async def test_a_stop_is_not_held_up_by_a_silent_database(
    cosmos: EmbeddedCosmos, events: ContainerProxy, meddler: Meddler
) -> None:
    """Ten seconds at most, with a batch in flight that hangs as well."""
    working = asyncio.Event()

    async def hang(_: list[dict[str, Any]]) -> None:
        working.set()
        await asyncio.Event().wait()

    running = host(cosmos, hang, endpoint=meddler.endpoint)
    await running.start()
    await write(events, *"abcdefgh")
    await asyncio.wait_for(working.wait(), 20)
    meddler.is_silent = True
    begun = time.monotonic()

    await running.stop()

    assert time.monotonic() - begun < 10


async def test_a_database_that_never_answers_does_not_hold_up_a_stop(
    cosmos: EmbeddedCosmos, meddler: Meddler
) -> None:
    """Nor when the host has not got past its first request."""
    meddler.is_silent = True
    running = host(cosmos, Received(), endpoint=meddler.endpoint)
    await running.start()

    async def asked() -> bool:
        return meddler.requests > 0

    await until(asked)
    begun = time.monotonic()

    await running.stop()

    assert time.monotonic() - begun < 10


async def test_a_missing_lease_container_is_named_and_waited_for(
    cosmos: EmbeddedCosmos,
    database: DatabaseProxy,
    events: ContainerProxy,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With how to create it."""
    await database.delete_container("leases")
    received = Received()

    async with host(cosmos, received):

        async def named() -> bool:
            return "admin init" in caplog.text

        await until(named)
        await database.create_container("leases", PartitionKey("/id"), default_ttl=-1)
        await write(events, "a")
        await received.complete(1)

    assert caplog.text.count("admin init") == 1


@pytest.mark.timeout(120)  # the engine itself tries each for a quarter of a minute
@pytest.mark.parametrize("spoil", [html, a_list, other_members, odd_sub_status])
async def test_containers_are_created_once_answers_are_good_again(
    cosmos: EmbeddedCosmos,
    client: CosmosClient,
    meddler: Meddler,
    caplog: pytest.LogCaptureFixture,
    spoil: Callable[[SpoiledResponse], None],
) -> None:
    """Which `local run` does before anything else."""
    connection = cosmos.connection_string.replace(cosmos.endpoint, meddler.endpoint)
    meddler.spoil = spoil
    provisioning = asyncio.create_task(
        _provision(Settings.from_environ({"CosmosConnection": connection}))
    )

    async def named() -> bool:
        return "cosmos.provisioning_failed" in caplog.text

    await until(named, 30)
    meddler.spoil = None
    await asyncio.wait_for(provisioning, 60)

    database = client.get_database_client("projections")
    assert len([container async for container in database.list_containers()]) == 3
