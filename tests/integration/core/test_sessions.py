"""Reads of a process include what it has written or was told of, however far replicas lag."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.cosmos import PartitionKey
from azure.cosmos._vector_session_token import VectorSessionToken
from azure.cosmos.aio import ContainerProxy, DatabaseProxy

from core.cosmos.batches import send_bulk, send_transactional
from core.cosmos.client import Client
from core.cosmos.partitions import PartitionMap
from core.cosmos.requests import Requests
from core.errors import DeadlineExceededError
from core.settings import Settings
from core.streams.event_store import EventStore
from core.streams.reader import StreamReader
from core.throttling.deadline import Deadline
from core.throttling.rate_limiters import RateLimiters
from core.throttling.retrier import Retrier
from core.writing.writes import Write
from local.cosmos import EmbeddedCosmos
from tests.support import CAUSE, followed, stream


def write(number: int, event_id: str, **changes: str) -> Write:
    """Return a write into the stream of a user."""
    document = followed(number, 2, event_id, **changes)
    return Write(stream(number), event_id, json.dumps(document).encode(), CAUSE)


async def split(cosmos: EmbeddedCosmos) -> None:
    """Split the physical partition of the events."""
    url = f"{cosmos.endpoint}_local/split?container=projections/events"
    async with aiohttp.ClientSession() as session, session.post(url) as answer:
        assert answer.status < 300


class Process:
    """A process with a client, and so a session, of its own."""

    def __init__(self, settings: Settings) -> None:
        self.client = Client(settings.require_connection())
        database = self.client.get_database_client(settings.database)
        self.events: ContainerProxy = database.get_container_client("events")
        self.requests = Requests(
            limiters=RateLimiters(), retrier=Retrier(), enter=self.client.enter
        )
        partitions = PartitionMap(self.events, self.requests)
        self.reader = StreamReader(
            container=self.events, partitions=partitions, requests=self.requests
        )
        self.event_store = EventStore(reader=self.reader)

    async def append(self, *documents: dict[str, Any]) -> None:
        taken = await self.event_store.create(documents[0]["streamId"], list(documents), deadline())
        assert taken is None

    async def ids(self, number: int) -> list[str]:
        """Return the ids of the events in the stream of a user."""
        return [one["id"] for one in await self.reader.read(stream(number), deadline())]


def deadline() -> Deadline:
    return Deadline.after(20)


@pytest.fixture
def replica_lag() -> float:
    """A lag that no test outlives."""
    return 3600.0


@pytest.fixture
def cosmos_options() -> dict[str, Any]:
    return {"partitions": 1}


@pytest.fixture
async def process(environ: dict[str, str], database: DatabaseProxy) -> AsyncIterator[Process]:
    process = Process(Settings.from_environ(environ))
    yield process
    await process.client.close()


@pytest.fixture
async def other(environ: dict[str, str], database: DatabaseProxy) -> AsyncIterator[Process]:
    other = Process(Settings.from_environ(environ))
    yield other
    await other.client.close()


async def test_what_others_wrote_is_not_seen_without_a_token(
    process: Process, other: Process
) -> None:
    """So that the other tests show something."""
    await other.append(followed(1, 2, "a"))

    assert await other.ids(1) == ["a"]
    assert await process.ids(1) == []


async def test_a_transactional_batch_is_seen(process: Process) -> None:
    """Its token is in the headers of a 200, which the SDK does not look at."""
    await process.ids(1)
    await send_transactional(process.events, stream(1), [write(1, "a")], lambda _: None)

    assert await process.ids(1) == ["a"]


async def test_the_accepted_part_of_a_bulk_request_is_seen(process: Process) -> None:
    """Its token is in the headers of a 207."""
    await process.ids(1)
    accepted, rejected = write(1, "a"), write(1, "b", streamId=stream(2))

    results = await send_bulk(process.events, "0", [accepted, rejected], lambda _: None)

    assert [result.status for result in results] == [201, 400]
    assert await process.ids(1) == ["a"]


async def test_what_a_refused_batch_met_is_seen(process: Process, other: Process) -> None:
    """The 409 tells of a document that another process wrote."""
    await other.append(followed(1, 2, "a"))
    await process.ids(1)

    assert await process.event_store.create(stream(1), [followed(1, 3, "a")], deadline()) == 0

    assert await process.ids(1) == ["a"]


async def test_a_single_event_of_another_process_is_found(process: Process, other: Process) -> None:
    """It is read where writes run, and then the whole stream is as new."""
    await other.append(followed(1, 2, "a"))

    document = await process.reader.get(stream(1), "a", deadline())

    assert document is not None
    assert document["id"] == "a"
    assert await process.ids(1) == ["a"]


async def test_a_404_is_recorded_under_its_container(
    process: Process, database: DatabaseProxy
) -> None:
    """Not under a container that is not known yet, which several would share."""
    assert await process.reader.get(stream(1), "missing", deadline()) is None

    session = process.client.client_connection.session
    assert session is not None
    tokens = session.session_container.rid_to_session_token
    events = await database.get_container_client("events").read()
    assert {rid: list(ranges) for rid, ranges in tokens.items()} == {events["_rid"]: ["0"]}


async def test_a_recreated_container_is_read_in_a_new_session(
    process: Process, other: Process, database: DatabaseProxy
) -> None:
    """Tokens of the old one are ahead of it, so that no replica has that state (404/1002)."""
    for number in range(5):
        await process.append(followed(1, 2, f"old-{number}"))
    await database.delete_container("events")
    await database.create_container("events", PartitionKey("/streamId"))
    await other.append(followed(1, 2, "new"))

    answers = await asyncio.gather(*(process.ids(1) for _ in range(10)))
    await process.append(followed(1, 3, "newer"))

    assert all(answer in ([], ["new"]) for answer in answers)
    assert await process.ids(1) == ["new", "newer"]


async def test_a_state_that_no_replica_reaches_is_given_up(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a restore; queries would ask for it until the process ends."""
    monkeypatch.setattr("core.cosmos.sessions._MAX_WAIT_SECONDS", 0.2)
    await process.append(followed(1, 2, "a"))
    session = process.client.client_connection.session
    assert session is not None
    (tokens,) = session.session_container.rid_to_session_token.values()
    tokens["0"] = VectorSessionToken.create("-1#999")  # type: ignore[no-untyped-call] # the SDK's

    assert await process.ids(1) == []


async def test_writes_of_before_a_split_are_seen_after_it(
    process: Process, cosmos: EmbeddedCosmos
) -> None:
    """The token of the parent holds for its children, and theirs are kept as well."""
    await process.append(followed(1, 2, "before"))
    await split(cosmos)
    assert await process.ids(1) == ["before"]

    await process.append(followed(1, 3, "after"))
    assert await process.ids(1) == ["before", "after"]


async def test_concurrent_first_callers_share_one_session(process: Process) -> None:
    """None of them replaces the session that has the tokens of another."""
    await asyncio.gather(*(process.append(followed(n, 2, "a")) for n in range(1, 20)))

    assert [await process.ids(n) for n in range(1, 20)] == [["a"]] * 19


async def test_entering_that_fails_is_repeated(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the deadline of the caller, as any request is."""
    errors = [ServiceRequestError("refused"), ServiceResponseError("reset")]
    setup = process.client.client_connection._setup

    async def failing() -> None:
        if errors:
            raise errors.pop()
        await setup()

    monkeypatch.setattr(process.client.client_connection, "_setup", failing)

    await process.append(followed(1, 2, "a"))

    assert errors == []
    assert await process.ids(1) == ["a"]


async def test_the_last_attempt_to_enter_ends_with_the_deadline(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first caller that waits for long does not make others wait longer than they may."""
    never = asyncio.Event().wait
    monkeypatch.setattr(process.client.client_connection, "_setup", never)

    async def read() -> None:
        await process.requests.send(
            "reading",
            lambda _: process.events.read(),
            partition="reads",
            deadline=Deadline.after(0.2),
            timeout_seconds=5,
        )

    results = await asyncio.gather(read(), read(), return_exceptions=True)

    assert [type(result) for result in results] == [DeadlineExceededError] * 2


async def test_a_client_is_closed_whether_or_not_it_was_entered(
    environ: dict[str, str], database: DatabaseProxy
) -> None:
    """And leaves no connection open, which would be a warning and so an error."""
    unused, used = (Process(Settings.from_environ(environ)) for _ in range(2))
    await used.ids(1)

    await unused.client.close()
    await used.client.close()


async def test_a_client_is_closed_while_callers_enter(
    environ: dict[str, str], database: DatabaseProxy
) -> None:
    """As where a host stops: the calls end, and no connection stays open."""
    process = Process(Settings.from_environ(environ))
    reads = [asyncio.create_task(process.ids(1)) for _ in range(3)]
    await asyncio.sleep(0)

    await process.client.close()

    for read in reads:
        read.cancel()
    await asyncio.gather(*reads, return_exceptions=True)
    await process.client.close()


async def test_a_stub_is_no_event(process: Process) -> None:
    """So nothing is said of whether it is processed."""
    await process.append(followed(1, 2, "a"), followed(1, 2, "b", type="$erased"))

    assert await process.reader.lsn_with(stream(1), "a", deadline()) is not None
    assert await process.reader.lsn_with(stream(1), "b", deadline()) is None
