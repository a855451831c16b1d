"""Any mix of commands, hosts and faults keeps what is promised of positions and keys.

Hypothesis chooses the steps, the same in every run. Hosts run the engine's own code over the
embedded Cosmos DB, whose faults follow from a seed. With `Phase.shrink` a mix that breaks something
is reduced to the fewest steps, in minutes.
"""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections import defaultdict
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from core.cosmos.provisioning import provision
from core.errors import (
    DeadlineExceededError,
    IdempotencyKeyReusedError,
    PositionConflictError,
    Refused,
)
from core.model.times import format_time
from core.services import Services
from core.settings import Settings
from core.streams.append_queue import AppendQueue
from core.streams.appender import Appender
from core.streams.appends import Append
from core.streams.deciding import DecisionMaker
from core.streams.event_store import EventStore
from core.streams.keys import Appended, IdempotencyKey
from core.throttling.deadline import Deadline
from local.cosmos import CosmosOptions, EmbeddedCosmos, run_in_thread
from local.cosmos.faults import Fault
from tests.observing import observer_of
from tests.support import Document

NO = (Refused, IdempotencyKeyReusedError, PositionConflictError)
"""Answers after which nothing may be appended."""

UNKNOWN = (DeadlineExceededError, asyncio.CancelledError)
"""Answers after which the events may be stored or not."""

FAULTS = (Fault.RESET_AFTER, Fault.RESET_BEFORE, Fault.SLOW, Fault.UNAVAILABLE, Fault.RETRY_WITH)

serials = count()


@dataclass(eq=False)
class _Execution:
    """A command that was sent to a host, and its answer."""

    id: str
    count: int
    key: str | None
    request: str
    answer: Appended | BaseException | None = None

    def events(self, stream: str, **data: object) -> list[Document]:
        """Return the events of the command, which say whose they are."""
        told = {"call": self.id, "key": self.key, "request": self.request, **data}
        return [
            {"streamId": stream, "type": "Happened", "version": 1, "data": told, "meta": {}}
            for _ in range(self.count)
        ]


@dataclass(eq=False)
class Host:
    """A process with a clock of its own, its client, queues and heads."""

    services: Services
    skew: timedelta
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        clock = self.services.client.clock
        store = EventStore(reader=self.services.reader)
        appender = Appender(store=store, now=lambda: clock.now() + self.skew)
        self.queue = AppendQueue(appender)
        self.decisions = DecisionMaker(appender=appender, queue=self.queue)

    async def append(
        self, call: _Execution, stream: str, seconds: float, position: int | None
    ) -> None:
        """Append without looking at the stream."""
        append = _append(call, stream, seconds, call.events(stream))
        await self._record(call, self.queue.append(append, position))

    async def spend(
        self, call: _Execution, stream: str, seconds: float, position: int | None
    ) -> None:
        """Append if the stream has more coins than were spent."""

        async def decide(documents: Any, _: datetime) -> list[Document] | Refused:
            own = [one for one in documents if "position" in one]
            spent = sum(one["data"].get("spent", False) for one in own)
            if len(own) - spent <= spent:
                return Refused("There is no coin.")
            latest = max(one["time"] for one in documents)
            return call.events(stream, spent=True, saw=len(own), latest=latest)

        append = _append(call, stream, seconds, [])
        await self._record(call, self.decisions.execute(append, decide, position))

    async def crash(self) -> None:
        """End in the midst of everything; what was sent may still be applied."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.services.close()

    async def _record(self, call: _Execution, answer: Coroutine[Any, Any, Appended]) -> None:
        try:
            call.answer = await answer
        except (*NO, *UNKNOWN) as error:
            call.answer = error


def _append(call: _Execution, stream: str, seconds: float, events: list[Document]) -> Append:
    key = None
    if call.key is not None:
        digest = sha256(call.key.encode()).hexdigest()[:32]
        key = IdempotencyKey(id=f"k{digest}", request=f"1:{call.request}")
    return Append(
        stream_id=stream,
        events=events,
        token=f"token of {call.id}",
        deadline=Deadline.after(seconds),
        key=key,
    )


class Streams(RuleBasedStateMachine):
    """Hosts that append to one stream, and what they were answered."""

    def __init__(self, server: EmbeddedCosmos, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.server, self.loop = server, loop
        self.settings = Settings.from_environ({"CosmosConnection": server.connection_string})
        self.stream = f"purse-{next(serials)}"
        self.calls: list[_Execution] = []
        self.seen: dict[str, Document] = {}
        self.hosts = [self._host(0), self._host(0)]

    @rule(
        places=st.lists(st.integers(0, 1), min_size=1, max_size=5),
        key=st.sampled_from([None, None, "a", "b", "c"]),
        events=st.integers(1, 3),
        patient=st.booleans(),
    )
    def append(self, places: list[int], key: str | None, events: int, *, patient: bool) -> None:
        """Send a command to some hosts at once, or several times to one."""
        for place in places:
            call = self._call(events, key, f"{events} events")
            self._start(place, self.hosts[place].append(call, self.stream, _time(patient), None))
        self._turn()

    @rule(
        places=st.lists(st.integers(0, 1), min_size=1, max_size=3),
        key=st.sampled_from([None, "a", "d", "e"]),
        patient=st.booleans(),
    )
    def spend(self, places: list[int], key: str | None, *, patient: bool) -> None:
        """Send a command that decides on the state of the stream."""
        for place in places:
            call = self._call(1, key, "spend")
            self._start(place, self.hosts[place].spend(call, self.stream, _time(patient), None))
        self._turn()

    @rule(place=st.integers(0, 1), position=st.integers(0, 12), decides=st.booleans())
    def expect(self, place: int, position: int, *, decides: bool) -> None:
        """Send a command that expects a position, which may be old, right, or not there yet."""
        host, call = self.hosts[place], self._call(1, None, "expect")
        run = host.spend if decides else host.append
        self._start(place, run(call, self.stream, 5.0, position))
        self._turn()

    @rule(seconds=st.integers(-5, 1_000))
    def derive(self, seconds: int) -> None:
        """Store a derived event, from another host whose clock may be ahead."""
        time = format_time(datetime.now().astimezone() + timedelta(seconds=seconds))
        document = {
            "id": f"derived {next(serials)}",
            "streamId": self.stream,
            "type": "Derived",
            "version": 1,
            "time": time,
            "data": {},
            "meta": {"hops": 1},
        }
        self._observe(lambda container: container.upsert_item(document))

    @rule(
        faults=st.lists(st.sampled_from(FAULTS), max_size=2, unique=True),
        seed=st.integers(0, 100),
        lag=st.sampled_from([0, 30]),
    )
    def disturb(self, faults: list[Fault], seed: int, lag: int) -> None:
        """Let requests and replies be lost or late, and replicas lag."""
        options = {"rate": 0.3, "durationMs": 20, "operations": ["BATCH", "QUERY"]}
        rules = [{"fault": fault, **options} for fault in faults]
        self._load({"seed": seed, "replicaLagMs": lag, "rules": rules})

    @rule(place=st.integers(0, 1), skew=st.sampled_from([-600, 0, 600]))
    def restart(self, place: int, skew: int) -> None:
        """Kill a host, and start another one with another clock."""
        self.loop.run_until_complete(self.hosts[place].crash())
        self.hosts[place] = self._host(skew)

    @precondition(lambda self: self.calls)
    @rule()
    def settle(self) -> None:
        """Wait for all answers, and check what is stored by then."""
        tasks = [task for host in self.hosts for task in host.tasks]
        self.loop.run_until_complete(_all(tasks))
        self._check()

    def teardown(self) -> None:
        """Check everything once no more happens."""
        self._load({})
        with suppress(IndexError):
            self.settle()
        for host in self.hosts:
            self.loop.run_until_complete(host.crash())

    def _host(self, skew: int) -> Host:
        async def start() -> Host:
            return Host(Services.open(self.settings), timedelta(seconds=skew))

        return self.loop.run_until_complete(start())

    def _call(self, events: int, key: str | None, request: str) -> _Execution:
        call = _Execution(id=f"call {next(serials)}", count=events, key=key, request=request)
        self.calls.append(call)
        return call

    def _start(self, place: int, work: Coroutine[Any, Any, None]) -> None:
        host = self.hosts[place]
        task = self.loop.create_task(work)
        host.tasks.add(task)
        task.add_done_callback(host.tasks.discard)

    def _turn(self) -> None:
        """Let what was started begin, so that the next step comes in the midst of it."""
        self.loop.run_until_complete(asyncio.sleep(0.002))

    def _load(self, plan: dict[str, Any]) -> None:
        body = json.dumps(plan).encode()
        request = urllib.request.Request(f"{self.server.endpoint}_local/faults", body)  # noqa: S310 - our own server
        with urllib.request.urlopen(request):  # noqa: S310 - as above
            pass

    def _observe(self, action: Any) -> Any:
        async def observe() -> Any:
            async with observer_of(self.server) as client:
                database = client.get_database_client(self.settings.database)
                return await action(database.get_container_client(self.settings.events_container))

        return self.loop.run_until_complete(observe())

    def _check(self) -> None:
        self._load({})

        async def read(container: Any) -> list[Document]:
            items = container.query_items("SELECT * FROM c", partition_key=self.stream)
            return [item async for item in items]

        documents = self._observe(read)
        stored = {document["id"]: document for document in documents}
        assert {name: stored.get(name) for name in self.seen} == self.seen  # created once, kept
        self.seen = stored
        own = sorted((one for one in documents if "position" in one), key=lambda one: one["id"])
        check_positions(own)
        check_decisions(own)
        check_keys(own, [one for one in documents if one["type"] == "$key"])
        check_answers(own, self.calls)


def check_positions(own: list[Document]) -> None:
    """Positions have no gap, ids follow from them, and times grow with them."""
    assert [one["position"] for one in own] == list(range(1, len(own) + 1))
    assert [one["id"] for one in own] == [f"n{one['position']:012d}" for one in own]
    assert all(one["time"] < other["time"] for one, other in pairwise(own))


def check_decisions(own: list[Document]) -> None:
    """A decision follows directly what it was made on, and is later than all it saw."""
    coins = 0
    for event in own:
        if "spent" in event["data"]:
            assert event["position"] == event["data"]["saw"] + 1
            assert event["time"] > event["data"]["latest"]
        coins += -1 if "spent" in event["data"] else 1
        assert coins >= 0


def check_keys(own: list[Document], keys: list[Document]) -> None:
    """A key and its events are one transaction, and of one key there is one execution."""
    by_token: dict[str, list[int]] = {event["meta"]["token"]: [] for event in own}
    for event in own:
        by_token[event["meta"]["token"]].append(event["position"])
    recorded = {key["meta"]["token"]: key["data"] for key in keys}
    for token, data in recorded.items():
        if data["status"] == "refused":
            assert token not in by_token
        else:
            first = data["position"] - data["count"] + 1
            assert by_token[token] == list(range(first, data["position"] + 1))
    keyed = {event["meta"]["token"] for event in own if event["data"]["key"] is not None}
    assert keyed <= recorded.keys()


def check_answers(own: list[Document], calls: list[_Execution]) -> None:
    """What was accepted is stored once and where it was said; what was refused never is."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    by_key: defaultdict[tuple[object, object], set[str]] = defaultdict(set)
    for event in own:
        data = event["data"]
        places[data["call"]].append(event["position"])
        by_key[data["key"], data["request"]].add(data["call"])
    answers: defaultdict[tuple[str, str], set[Appended]] = defaultdict(set)
    for call in calls:
        executed = places[call.id]
        assert len(executed) in {0, call.count}
        if isinstance(call.answer, Appended):
            end = call.answer.position or 0
            said = list(range(end - call.answer.count + 1, end + 1))
            assert executed == said if call.key is None else executed in ([], said)
            told = [own[position - 1]["data"] for position in said]
            assert all((one["key"], one["request"]) == (call.key, call.request) for one in told)
            answers[call.key or call.id, call.request].add(call.answer)
        elif isinstance(call.answer, NO):
            assert not executed
            if isinstance(call.answer, Refused) and call.key is not None:
                assert (call.key, call.request) not in by_key
        else:
            assert isinstance(call.answer, UNKNOWN)
    assert all(len(given) == 1 for given in answers.values())
    assert all(len(executions) == 1 for (key, _), executions in by_key.items() if key is not None)


def _time(patient: bool) -> float:  # noqa: FBT001 - a choice of hypothesis
    return 20.0 if patient else 0.2


async def _all(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.gather(*tasks)


@pytest.fixture
def server() -> Iterator[EmbeddedCosmos]:
    """One account for all mixes, each of which has its own stream."""
    with run_in_thread(CosmosOptions(port=0, partitions=2)) as server:
        asyncio.run(_provision(server))
        yield server


async def _provision(server: EmbeddedCosmos) -> None:
    async with observer_of(server) as client:
        await provision(client, Settings())


@pytest.mark.timeout(240)
def test_positions_and_keys_hold_whatever_happens(server: EmbeddedCosmos) -> None:
    """Two hosts, their queues, crashes, lost and late replies, old reads, wrong clocks."""
    loop = asyncio.new_event_loop()
    try:
        run_state_machine_as_test(
            lambda: Streams(server, loop),  # type: ignore[arg-type] # it calls it, nothing else
            settings=settings(
                max_examples=15,
                stateful_step_count=20,
                derandomize=True,
                deadline=None,
                database=None,
                phases=[Phase.generate],  # to find the fewest steps takes minutes
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        loop.close()
