"""The tracker against leases of the real form, in the embedded Cosmos DB."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from azure.cosmos.aio import ContainerProxy, DatabaseProxy

from core.cosmos.container import Container
from core.cosmos.requests import Requests
from core.errors import LeaseFormatError
from core.throttling.deadline import Deadline
from core.throttling.rate_limiters import RateLimiters
from core.throttling.retrier import Retrier
from core.tracking import change_feed
from core.tracking.change_feed import ChangeFeed, SeenEvent
from core.tracking.leases import LeaseState
from core.tracking.status import ModuleStatus
from core.tracking.tracker import ProgressTracker
from local.host.leases import PartitionKeyRange, lease_prefix, new_lease, timestamp
from tests.support import followed, stream

SEEN = SeenEvent(stream(1), "1-2", 1)
FIRST, WHOLE = "1" + "0" * 31, PartitionKeyRange(id="0", minimum="", maximum="FF")


@pytest.fixture
def cosmos_options() -> dict[str, Any]:
    """One physical partition, so that LSNs are foreseeable."""
    return {"partitions": 1}


@pytest.fixture
def events(database: DatabaseProxy) -> ContainerProxy:
    return database.get_container_client("events")


@pytest.fixture
def tracker(database: DatabaseProxy, events: ContainerProxy) -> ProgressTracker:
    requests = Requests(limiters=RateLimiters(), retrier=Retrier())
    leases = database.get_container_client("leases")
    return ProgressTracker(
        feed=ChangeFeed(container=events, requests=requests),
        leases=Container(proxy=leases, requests=requests, limiter="leases"),
    )


async def module_status(tracker: ProgressTracker) -> ModuleStatus:
    """The status of module `followship`."""
    return (await tracker.observe(["followship"], Deadline.after(20))).modules[0]


async def put_lease(
    database: DatabaseProxy, events: ContainerProxy, token: str | None, **changes: Any
) -> None:
    """A lease of module `followship` with this checkpoint."""
    prefix = lease_prefix("followship-", "http://127.0.0.1", (await events.read())["_rid"])
    partition = changes.pop("partition", WHOLE)
    document = {**new_lease(prefix, partition, token), **changes}
    document = {name: value for name, value in document.items() if value != "absent"}
    await database.get_container_client("leases").upsert_item(document)


async def is_processed(
    tracker: ProgressTracker, user: int, event_id: str, *, at_least: int
) -> bool | None:
    event = SeenEvent(stream(user), event_id, at_least)
    status = await tracker.event_status("followship", event, Deadline.after(20))
    return status.processed


async def write(events: ContainerProxy, count: int) -> None:
    for number in range(count):
        await events.create_item(followed(1, number + 2))


async def test_without_leases_nothing_is_known(tracker: ProgressTracker) -> None:
    """The trigger has never started."""
    status = await module_status(tracker)

    assert (status.leases, status.caught_up) == ((), False)
    assert status.to_dict()["lagTransactions"] is None


async def test_a_partition_without_a_lease_is_never_caught_up(
    database: DatabaseProxy, events: ContainerProxy, tracker: ProgressTracker
) -> None:
    """Though all leases that are there may be."""
    part = PartitionKeyRange(id="0", minimum="", maximum=FIRST)
    await put_lease(database, events, '"0"', partition=part)

    status = await module_status(tracker)

    assert (status.lag_transactions == 0, status.partitions_without_lease, status.caught_up) == (
        True,
        1,
        False,
    )


@pytest.mark.parametrize(
    ("token", "behind"),
    [
        pytest.param(None, 5, id="never checkpointed: all"),
        pytest.param('"0"', 5, id="nothing"),
        pytest.param('"2"', 3, id="in the middle"),
        pytest.param('"5"', 0, id="all"),
    ],
)
async def test_lag_is_counted_in_transactions(
    database: DatabaseProxy,
    events: ContainerProxy,
    tracker: ProgressTracker,
    token: str | None,
    behind: int,
) -> None:
    """From the first unprocessed one on."""
    await write(events, 5)
    await put_lease(database, events, token)

    (lease,) = (await module_status(tracker)).leases

    assert lease.lag_transactions == behind
    assert lease.caught_up is (behind == 0)
    assert lease.lag_seconds is not None
    assert lease.lag_seconds < 60


async def test_deletes_do_not_make_a_caught_up_lease_lag(
    database: DatabaseProxy, events: ContainerProxy, tracker: ProgressTracker
) -> None:
    """They take transactions, but leave nothing to process."""
    await write(events, 2)
    await put_lease(database, events, '"2"')
    await events.delete_item("1-2", stream(1))

    status = await module_status(tracker)

    assert status.caught_up


@pytest.mark.parametrize(
    ("owner", "age", "expected"),
    [
        ("me", 1, LeaseState.ACTIVE),
        ("me", 90, LeaseState.EXPIRED),
        (None, 1, LeaseState.UNOWNED),
    ],
)
async def test_owners_are_told(
    database: DatabaseProxy,
    events: ContainerProxy,
    tracker: ProgressTracker,
    owner: str | None,
    age: int,
    expected: LeaseState,
) -> None:
    """And whether they are alive."""
    written = timestamp(datetime.now(timezone.utc) - timedelta(seconds=age))
    await put_lease(database, events, '"0"', Owner=owner, timestamp=written)

    (lease,) = (await module_status(tracker)).leases

    assert (lease.owner, lease.state) == (owner, expected)


async def test_other_leases_are_left_out(
    database: DatabaseProxy, events: ContainerProxy, tracker: ProgressTracker
) -> None:
    """Of other modules and of a deleted container, and whatever else lies there."""
    leases = database.get_container_client("leases")
    await put_lease(database, events, '"0"')
    (own,) = [document async for document in leases.query_items("SELECT * FROM c")]
    rid = (await events.read())["_rid"]
    await leases.create_item({**own, "id": own["id"].replace("followship-", "followship_two-")})
    await leases.create_item({**own, "id": own["id"].replace(rid, "AAAAAAAAAAA=")})
    await leases.create_item({"id": "followship-cursor", "LeaseToken": "x"})

    assert [lease.id for lease in (await module_status(tracker)).leases] == [own["id"]]


async def test_leases_without_a_range_are_placed_by_their_partition(
    database: DatabaseProxy, events: ContainerProxy, tracker: ProgressTracker
) -> None:
    """As the first versions of the trigger wrote them."""
    await write(events, 3)
    await put_lease(
        database, events, '"1"', FeedRange="absent", LeaseToken="absent", PartitionId="0"
    )

    (lease,) = (await module_status(tracker)).leases

    assert lease.lag_transactions == 2
    assert lease.range is not None


async def test_merged_leases_count_their_own_range(
    database: DatabaseProxy, events: ContainerProxy, tracker: ProgressTracker
) -> None:
    """Two of version 1 on one partition."""
    await write(events, 4)
    for low, high in (("", FIRST), (FIRST, "FF")):
        part = PartitionKeyRange(id=f"{low}-{high}", minimum=low, maximum=high)
        await put_lease(database, events, '"0"', partition=part, version=1)

    status = await module_status(tracker)

    assert sorted(lease.caught_up for lease in status.leases) == [False, True]


async def test_an_event_is_processed_once_its_lease_is_past_it(
    database: DatabaseProxy, events: ContainerProxy, tracker: ProgressTracker
) -> None:
    """Whatever else comes behind the checkpoint."""
    await write(events, 4)
    await events.create_item(followed(7, 8))
    await put_lease(database, events, '"2"')

    statuses = [
        await is_processed(tracker, 1, f"1-{number}", at_least=5) for number in (2, 3, 4, 5)
    ]
    assert statuses == [True, True, False, False]
    assert await is_processed(tracker, 7, "7-8", at_least=5) is False


async def test_a_feed_that_is_behind_the_event_says_nothing(
    database: DatabaseProxy, events: ContainerProxy, tracker: ProgressTracker
) -> None:
    """What it does not have may be processed or not; what it has is pending."""
    await write(events, 4)
    await put_lease(database, events, '"2"')

    assert await is_processed(tracker, 1, "1-2", at_least=5) is None
    assert await is_processed(tracker, 1, "1-4", at_least=5) is False


async def test_before_the_first_checkpoint_no_event_is_processed(
    database: DatabaseProxy, events: ContainerProxy, tracker: ProgressTracker
) -> None:
    """Nor without a lease."""
    await write(events, 1)

    assert await is_processed(tracker, 1, "1-2", at_least=1) is False
    await put_lease(database, events, None)
    assert await is_processed(tracker, 1, "1-2", at_least=1) is False


@pytest.mark.parametrize("cosmos_options", [{"partitions": 4}])
async def test_a_split_that_nobody_noticed_is_looked_at_in_pieces(
    database: DatabaseProxy,
    events: ContainerProxy,
    tracker: ProgressTracker,
    cosmos_options: dict[str, Any],
) -> None:
    """A parent's lease over today's four partitions: their transactions together."""
    for number in range(1, 21):
        await events.create_item(followed(number, 99))
    await put_lease(database, events, None)

    (lease,) = (await module_status(tracker)).leases

    assert lease.lag_transactions == 20


DAMAGES: dict[str, dict[str, Any]] = {
    "lease-unreadable": {"Mode": "Full-Fidelity Feed"},
    "timestamp-unreadable": {"timestamp": "soon"},
    "token-unreadable": {"ContinuationToken": "garbage"},
    "checkpoint-ahead": {"ContinuationToken": '"1000"'},
}


@pytest.mark.parametrize("code", DAMAGES)
async def test_of_an_event_whose_lease_is_damaged_nothing_is_known(
    database: DatabaseProxy, events: ContainerProxy, tracker: ProgressTracker, code: str
) -> None:
    """The reason is the code of the damage, in the status of the lease as well."""
    await write(events, 1)
    await put_lease(database, events, '"1"', **DAMAGES[code])

    event = await tracker.event_status("followship", SEEN, Deadline.after(20))
    (lease,) = (await module_status(tracker)).leases

    assert (event.processed, event.reason) == (None, code)
    assert [fault.value for fault in lease.faults] == [code]


async def test_a_token_that_cosmos_rejects_is_a_fault_of_its_lease(
    database: DatabaseProxy, events: ContainerProxy, tracker: ProgressTracker
) -> None:
    """It has the form of one, but its number is larger than any."""
    await write(events, 1)
    await put_lease(database, events, '"9999999999999999999"')

    event = await tracker.event_status("followship", SEEN, Deadline.after(20))
    (lease,) = (await module_status(tracker)).leases

    assert (event.processed, event.reason) == (None, "token-unreadable")
    assert [fault.value for fault in lease.faults] == ["token-unreadable"]


async def test_a_feed_that_is_not_as_documented_leaves_the_lag_unknown(
    database: DatabaseProxy,
    events: ContainerProxy,
    tracker: ProgressTracker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of a lease and of an event."""

    def no_lsn(_: object) -> int:
        raise LeaseFormatError("A response has no LSN.")

    await write(events, 1)
    await put_lease(database, events, '"1"')
    monkeypatch.setattr(change_feed, "session_lsn", no_lsn)

    event = await tracker.event_status("followship", SEEN, Deadline.after(20))
    (lease,) = (await module_status(tracker)).leases

    assert (event.processed, event.reason) == (None, "lag-unknown")
    assert [fault.value for fault in lease.faults] == ["lag-unknown"]


async def test_of_an_event_that_no_lease_covers_nothing_is_known(
    database: DatabaseProxy, events: ContainerProxy, tracker: ProgressTracker
) -> None:
    """The other leases of the module may be past everything."""
    await write(events, 1)
    part = PartitionKeyRange(id="0", minimum="FE", maximum="FF")
    await put_lease(database, events, '"1"', partition=part)

    event = await tracker.event_status("followship", SEEN, Deadline.after(20))

    assert (event.processed, event.reason, event.lease_token) == (None, "uncovered", None)
