"""The Functions host against the embedded Cosmos DB."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from azure.cosmos.aio import ContainerProxy, DatabaseProxy

from local.cosmos import EmbeddedCosmos
from local.host.leases import timestamp
from tests.integration.host.hosting import Received, change_leases, host, leases, write
from tests.support import until


async def test_leases_are_those_of_the_real_trigger(
    cosmos: EmbeddedCosmos, database: DatabaseProxy, events: ContainerProxy
) -> None:
    """One for each physical partition, in its document format, and its marker."""
    received = Received()
    rid = (await events.read())["_rid"]

    async with host(cosmos, received):
        await write(events, "1")
        await received.complete(1)

        async def owned() -> bool:
            return None not in [lease["Owner"] for lease in await leases(database)]

        await until(owned)
        stored_leases = await leases(database)

    assert len(stored_leases) == 4
    for lease in stored_leases:
        assert set(lease) >= {"LeaseToken", "FeedRange", "ContinuationToken", "Mode", "properties"}
        assert lease["id"].startswith("p-127.0.0.1_")
        assert lease["id"].endswith(f"_{rid}..{lease['LeaseToken']}")
        assert lease["timestamp"].endswith("Z")
    info = stored_leases[0]["id"].rpartition("..")[0] + ".info"
    assert (await database.get_container_client("leases").read_item(info, info))["id"] == info


async def test_every_document_is_delivered_and_checkpointed(
    cosmos: EmbeddedCosmos, database: DatabaseProxy, events: ContainerProxy
) -> None:
    """Once, and after a restart only what came since; a clean stop releases the leases."""
    received = Received()
    async with host(cosmos, received):
        await write(events, *"abcdefgh")
        await received.complete(8)
    released = [lease["Owner"] for lease in await leases(database)]

    await write(events, "i", "j")
    async with host(cosmos, received):
        await received.complete(10)

    assert released == [None] * 4
    assert received.ids == list("abcdefghij")


async def test_a_failing_batch_is_repeated_and_not_checkpointed(
    cosmos: EmbeddedCosmos, events: ContainerProxy, caplog: pytest.LogCaptureFixture
) -> None:
    """Until it succeeds; the error is logged."""
    caplog.set_level(logging.ERROR)
    received, failures = Received(), [ValueError("first"), ValueError("second")]

    async def work(documents: list[dict[str, Any]]) -> None:
        if failures:
            raise failures.pop()
        await received(documents)

    await write(events, "a")
    async with host(cosmos, work):
        await received.complete(1)

    assert received.ids == ["a"]
    assert "function.failed" in caplog.text


async def test_an_attempt_that_takes_too_long_has_failed(
    cosmos: EmbeddedCosmos, events: ContainerProxy, tmp_path: Path
) -> None:
    """By `functionTimeout` of host.json; it is repeated as any other."""
    (tmp_path / "host.json").write_text('{"functionTimeout": "00:00:01"}', encoding="utf-8")
    received, hanging = Received(), [True]

    async def work(documents: list[dict[str, Any]]) -> None:
        if hanging:
            hanging.pop()
            await asyncio.Event().wait()
        await received(documents)

    await write(events, "a")
    async with host(cosmos, work, folder=tmp_path):
        await received.complete(1)

    assert received.ids == ["a"]


async def test_without_a_retry_policy_a_failed_batch_is_lost(
    cosmos: EmbeddedCosmos, events: ContainerProxy, caplog: pytest.LogCaptureFixture
) -> None:
    """As in Azure, which is why every trigger of ours has one."""
    received, failures = Received(), [ValueError("once")]

    async def work(documents: list[dict[str, Any]]) -> None:
        if failures:
            raise failures.pop()
        await received(documents)

    await write(events, "lost")
    async with host(cosmos, work, retry=False):

        async def failed() -> bool:
            return not failures

        await until(failed)
        await write(events, "kept")
        await received.complete(1)

    assert received.ids == ["kept"]
    assert "batch.dropped" in caplog.text


async def test_hosts_share_the_leases(
    cosmos: EmbeddedCosmos, database: DatabaseProxy, events: ContainerProxy
) -> None:
    """One that joins takes its half; everything is still delivered."""
    received = Received()
    async with host(cosmos, received), host(cosmos, received):

        async def halved() -> bool:
            owners = [lease["Owner"] for lease in await leases(database)]
            return len(owners) == 4 and {owners.count(owner) for owner in set(owners)} == {2}

        await until(halved)
        await write(events, *"abcdefgh")
        await received.complete(8)


async def test_a_host_that_is_gone_is_taken_over_from(
    cosmos: EmbeddedCosmos, database: DatabaseProxy, events: ContainerProxy
) -> None:
    """When its leases expire, not before."""
    received = Received()
    async with host(cosmos, received):
        await write(events, "a")
        await received.complete(1)
    written = datetime.now(timezone.utc)
    await change_leases(database, Owner="gone", timestamp=timestamp(written))
    await write(events, "b")

    async with host(cosmos, received):
        await received.complete(2)

    assert datetime.now(timezone.utc) - written > timedelta(seconds=1.5)
    assert received.ids == ["a", "b"]


async def test_a_lost_lease_is_not_checkpointed(
    cosmos: EmbeddedCosmos, database: DatabaseProxy, events: ContainerProxy
) -> None:
    """What the old owner still finishes is left to the new one."""
    working, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: list[dict[str, Any]]) -> None:
        working.set()
        await go_on.wait()

    await write(events, "a")
    async with host(cosmos, slow, expiration=60):
        await asyncio.wait_for(working.wait(), 20)
        later = datetime.now(timezone.utc) + timedelta(hours=1)
        await change_leases(database, Owner="thief", timestamp=timestamp(later))
        go_on.set()
    stored_leases = await leases(database)

    assert {lease["Owner"] for lease in stored_leases} == {"thief"}
    assert {lease["ContinuationToken"] for lease in stored_leases} == {None}


async def test_partitions_that_are_split_on_the_way_lose_and_double_nothing(
    cosmos: EmbeddedCosmos, database: DatabaseProxy, events: ContainerProxy
) -> None:
    """Children take over from the parent's token, again and again."""
    received, names = Received(), [f"e{number}" for number in range(60)]
    async with (
        aiohttp.ClientSession(raise_for_status=True) as session,
        host(cosmos, received),
    ):
        for nth, name in enumerate(names, start=1):
            await write(events, name)
            if nth % 15 == 0:
                url = f"{cosmos.endpoint}_local/split"
                await session.post(url, params={"container": "db/events"})
        await received.complete(len(names))

        async def followed() -> bool:
            return len(await leases(database)) == 8

        await until(followed)

    assert received.ids == sorted(names)


async def test_a_410_without_a_split_loses_no_lease(
    cosmos: EmbeddedCosmos, database: DatabaseProxy, events: ContainerProxy
) -> None:
    """Again and again, on leases of either kind."""
    received = Received()
    gone = {"fault": "gone", "rate": 0.7, "operations": ["CHANGES"]}
    async with aiohttp.ClientSession(raise_for_status=True) as session, host(cosmos, received):
        await session.post(f"{cosmos.endpoint}_local/faults", json={"rules": [gone]})
        await write(events, *"abcdefgh")
        await received.complete(8)
        await session.post(f"{cosmos.endpoint}_local/faults", json={})
        await write(events, *"ijklmnop")
        await received.complete(16)

        async def covered() -> bool:
            key_ranges = [lease["FeedRange"]["Range"] for lease in await leases(database)]
            borders = sorted((key_range["min"], key_range["max"]) for key_range in key_ranges)
            ends = ["", *(high for _, high in borders)]
            return len(borders) == 4 and [low for low, _ in borders] == ends[:-1]

        await until(covered)
