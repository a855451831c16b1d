"""Faults on purpose: what clients see of them, and that they follow from their seed."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from local.cosmos.faults import Fault, FaultInjector, FaultPlan, FaultRule
from local.cosmos.replicas import ReplicaLag
from tests.integration.cosmos.raw import BATCH, BULK, ITEMS, A, Raw, Reply
from tests.support import until

CREATED = {**A, "x-ms-documentdb-is-upsert": "true"}


@pytest.fixture
def cosmos_options() -> dict[str, Any]:
    return {"partitions": 1}


async def plan(raw: Raw, *rules: dict[str, Any], seed: int = 1) -> tuple[int, Any]:
    url = f"{raw.endpoint}_local/faults"
    async with raw.session.post(url, json={"seed": seed, "rules": rules}) as answer:
        return answer.status, await answer.json()


async def counts(raw: Raw) -> Any:
    async with raw.session.get(f"{raw.endpoint}_local/faults") as answer:
        return await answer.json()


async def upsert(raw: Raw, name: str = "1") -> Reply:
    return await raw.send("POST", ITEMS, {"id": name, "pk": "a"}, CREATED)


async def stored(raw: Raw) -> list[str]:
    await plan(raw)
    reply = await raw.send("GET", ITEMS, headers={"x-ms-documentdb-partitionkey": '["a"]'})
    return sorted(item["id"] for item in reply.body["Documents"])


@pytest.mark.parametrize(
    ("fault", "status", "sub_status", "hint"),
    [
        ("throttled", 429, 3200, "70"),
        ("throttledWithoutRetryAfter", 429, 3200, None),
        ("retryWith", 449, 0, None),
        ("timeout", 408, 0, None),
        ("gone", 410, 1002, None),
        ("error", 500, 0, None),
        ("unavailable", 503, 0, None),
    ],
)
async def test_a_rejected_request_is_not_applied(
    raw: Raw, fault: str, status: int, sub_status: int, hint: str | None
) -> None:
    """With the status, sub-status and hint that the service would give."""
    await plan(raw, {"fault": fault, "rate": 1, "operations": ["POST"], "durationMs": 70})

    reply = await upsert(raw)

    assert (reply.status, reply.sub_status) == (status, sub_status)
    assert reply.headers.get("x-ms-retry-after-ms") == hint
    assert await counts(raw) == {fault: 1}
    assert await stored(raw) == []


@pytest.mark.parametrize(("fault", "applied"), [("resetBefore", []), ("resetAfter", ["1"])])
async def test_a_reset_connection_tells_nothing(raw: Raw, fault: str, applied: list[str]) -> None:
    """The write was applied, or it was not; the client cannot know."""
    await plan(raw, {"fault": fault, "rate": 1, "operations": ["POST"]})

    with pytest.raises(aiohttp.ClientError):
        await upsert(raw)

    assert await stored(raw) == applied


async def test_a_write_that_hangs_is_applied_after_its_client_gave_up(raw: Raw) -> None:
    """Late, and beside whatever was written meanwhile."""
    await plan(raw, {"fault": "hang", "rate": 1, "operations": ["POST"], "durationMs": 300})
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(upsert(raw), 0.1)
    assert await stored(raw) == []

    async def applied() -> bool:
        return await stored(raw) == ["1"]

    await until(applied)


async def test_a_slow_answer_is_an_answer(raw: Raw) -> None:
    """It only takes its time."""
    await plan(raw, {"fault": "slow", "rate": 1, "operations": ["POST"], "durationMs": 50})

    assert (await upsert(raw)).status == 201


async def test_an_outage_refuses_connections_and_ends(raw: Raw) -> None:
    """What is stored stays."""
    await upsert(raw, "before")
    await plan(raw, {"fault": "outage", "rate": 1, "operations": ["POST"], "durationMs": 300})
    with pytest.raises(aiohttp.ClientError):
        await upsert(raw, "during")
    with pytest.raises(aiohttp.ClientError):
        await counts(raw)

    async def back() -> bool:
        try:
            return await stored(raw) == ["before"]
        except aiohttp.ClientError:
            return False

    await until(back)


async def test_a_failing_operation_fails_its_transaction(raw: Raw) -> None:
    """All the others depended on it, and nothing is applied."""
    await plan(raw, {"fault": "partial", "rate": 1, "operations": ["BATCH"]})
    operations = [
        {"operationType": "Upsert", "resourceBody": {"id": str(nth), "pk": "a"}} for nth in range(6)
    ]

    reply = await raw.send("POST", ITEMS, operations, BATCH)

    statuses = [result["statusCode"] for result in reply.body]
    assert reply.status == 207
    assert statuses.count(424) == 5
    assert set(statuses) & {429, 449, 408, 500, 503}
    assert await stored(raw) == []


async def test_failing_operations_of_the_bulk_form_fail_alone(raw: Raw) -> None:
    """What succeeded is applied."""
    await plan(raw, {"fault": "partial", "rate": 1, "operations": ["BATCH"]})
    operations = [
        {
            "operationType": "Upsert",
            "partitionKey": '["a"]',
            "resourceBody": {"id": str(nth), "pk": "a"},
        }
        for nth in range(6)
    ]

    reply = await raw.send("POST", ITEMS, operations, BULK)

    succeeded = [str(nth) for nth, result in enumerate(reply.body) if result["statusCode"] == 201]
    assert 4 <= len(succeeded) < 6
    assert await stored(raw) == succeeded


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"fault": "fire", "rate": 1}, "rules.0.fault"),
        ({"fault": "slow", "rate": 2}, "rules.0.rate"),
        ({"fault": "slow", "rate": 1, "second": 1}, "rules.0.second"),
    ],
)
async def test_a_wrong_plan_is_rejected_and_changes_nothing(
    raw: Raw, rule: dict[str, Any], field: str
) -> None:
    """With the field named."""
    await plan(raw, {"fault": "error", "rate": 1, "operations": ["POST"]})

    status, body = await plan(raw, rule)

    assert status == 400
    assert field in body["message"]
    assert (await upsert(raw)).status == 500


def test_what_strikes_follows_from_the_seed() -> None:
    """The same plan strikes the same requests in the same way."""

    def strikes(seed: int) -> list[Any]:
        injector = FaultInjector(ReplicaLag(0))
        rules = (FaultRule(fault=Fault.PARTIAL, rate=0.3), FaultRule(fault=Fault.SLOW, rate=0.3))
        injector.load(FaultPlan(seed=seed, rules=rules))
        injected = [injector.next_fault("BATCH") for _ in range(50)]
        return [fault and (fault.fault, sorted(fault.operation_errors(9))) for fault in injected]

    assert strikes(1) == strikes(1) != strikes(2)
    assert None in strikes(1)
