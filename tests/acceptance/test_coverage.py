"""What a projection was not given is known, and said, whichever hosts took the events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from azure.cosmos.aio import DatabaseProxy

from core import Event, projection
from core.application import Application
from core.errors import CosmosError
from core.model.projections import Projection
from core.model.registry import ProjectionModule, Registry
from core.services import Services
from core.settings import Settings
from core.tracking.coverage_recorder import CoverageRecorder
from core.tracking.hosts import HostReporter
from local.host.leases import PartitionKeyRange, lease_prefix, new_lease
from tests.support import TIME, FakeTime, until

START = datetime.now(timezone.utc) - timedelta(seconds=1_000)
WHOLE = PartitionKeyRange(id="0", minimum="", maximum="FF")


class Bought(Event, entity="basket"):
    number: int

    @property
    def entity_id(self) -> int:
        return self.number


class Billed(Bought, entity="basket"):
    pass


class Packed(Bought, entity="basket"):
    pass


@projection(name="orders.bills")
def bills(event: Bought) -> Iterator[Billed]:
    yield Billed(number=event.number)


@projection(name="orders.parcels")
def parcels(event: Bought) -> Iterator[Packed]:
    yield Packed(number=event.number)


def bought(number: int) -> dict[str, Any]:
    """The document of an event."""
    return {
        "id": f"b-{number}",
        "streamId": f"basket-{number}",
        "type": "Bought",
        "version": 1,
        "time": TIME,
        "data": {"number": number},
        "meta": {"correlationId": "c", "causationId": None, "projection": None, "hops": 0},
    }


@pytest.fixture
def cosmos_options() -> dict[str, Any]:
    """One physical partition, for one lease."""
    return {"partitions": 1}


@pytest.fixture
def replica_lag() -> float:
    """No lag, for hosts of minutes run here within milliseconds."""
    return 0.0


@dataclass
class Cluster:
    """Hosts of different versions over the same account, with a clock of their own."""

    environ: dict[str, str]
    database: DatabaseProxy
    clock: FakeTime
    opened: list[Application]

    def host(self, *projections: Projection, module: str = "orders") -> Application:
        """Start a host with a module of these projections."""
        own = ProjectionModule(name=module, projections=projections)
        events = {one.__name__: one for one in (Bought, Billed, Packed)}
        registry = Registry(modules={module: own}, events=events, commands={}, entities={})
        application = Application(registry, self.environ, open_services=self._open)
        self.opened.append(application)
        return application

    def _open(self, settings: Settings) -> Services:
        services = Services.open(settings)
        leases, tracker = services.tracker.leases, services.tracker
        hosts = HostReporter(leases, lambda: services.conditions, self.clock)
        recorder = CoverageRecorder(leases, tracker, hosts, clock=self.clock, now=self.now)
        return replace(services, coverage=recorder)

    def now(self) -> datetime:
        """Return the time, by this clock."""
        return START + timedelta(seconds=self.clock.now)

    async def checkpoint(self, lsn: int | None = 0) -> None:
        """Store the lease of the module with a checkpoint."""
        events = self.database.get_container_client("events")
        prefix = lease_prefix("orders-", "http://127.0.0.1", (await events.read())["_rid"])
        leases = self.database.get_container_client("leases")
        await leases.upsert_item(new_lease(prefix, WHOLE, lsn if lsn is None else f'"{lsn}"'))

    async def given(self, kind: str) -> set[int]:
        """Return the numbers of the events of a type that are stored."""
        items = self.database.get_container_client("events").query_items("SELECT * FROM c")
        return {item["data"]["number"] async for item in items if item["type"] == kind}


@pytest.fixture
async def cluster(environ: dict[str, str], database: DatabaseProxy) -> AsyncIterator[Cluster]:
    prepared = Cluster(environ, database, FakeTime(), [])
    yield prepared
    for application in prepared.opened:
        await application.close()


async def codes(application: Application) -> list[str]:
    """Return the codes of what a host finds."""
    return [finding.code for finding in (await application.status.report()).findings]


async def since(application: Application, name: str) -> datetime | None:
    """Return since when a projection is given everything."""
    (module,) = (await application.status.report()).projections
    (coverage,) = (one for one in module.coverage if one.projection == name)
    return coverage.since


@pytest.mark.parametrize("replica_lag", [0.0, 0.3], ids=["fresh", "lagging"])
async def test_a_new_module_is_given_everything(cluster: Cluster, replica_lag: float) -> None:
    """Two hosts start at once on an empty account, and each takes batches."""
    await cluster.checkpoint(None)
    hosts = [cluster.host(bills), cluster.host(bills)]

    batches = [host.project("orders", [bought(nth)]) for nth, host in enumerate(hosts * 2)]
    await asyncio.gather(*batches)
    await cluster.checkpoint()

    async def is_covered() -> bool:
        (module,) = (await hosts[0].status.report()).projections
        return [one.since for one in module.coverage] == [None]

    await until(is_covered)
    assert await codes(hosts[1]) == []


async def test_a_rolling_deployment_leaves_nothing_unsaid(cluster: Cluster) -> None:
    """Every event that the added projection was not given is older than what the status says."""
    await cluster.checkpoint(None)
    old = cluster.host(bills)
    await old.project("orders", [bought(0)])
    await cluster.checkpoint()
    new = cluster.host(bills, parcels)
    stored: dict[int, datetime] = {}

    for number in range(1, 60):
        stored[number] = cluster.now()
        await cluster.clock.sleep(7)
        is_rolled = 10 < number < 30 and number % 3 == 0
        await (new if is_rolled or number >= 30 else old).project("orders", [bought(number)])
        await cluster.clock.sleep(6)

    ungiven = stored.keys() - await cluster.given("Packed")
    covered = await since(new, "orders.parcels")
    assert covered is not None
    last = max(stored[number] for number in ungiven)
    assert last < covered < last + timedelta(minutes=3)
    assert await codes(new) == ["coverage-gap"]
    assert await since(new, "orders.bills") is None


async def test_a_projection_that_is_added_is_not_covered_before(cluster: Cluster) -> None:
    """Until the module begins again, which is the remedy."""
    await cluster.checkpoint(None)
    await cluster.host(bills).project("orders", [])
    await cluster.checkpoint()
    new = cluster.host(bills, parcels)

    assert await codes(new) == ["not-covered"]
    await new.project("orders", [])
    assert await codes(new) == ["not-covered"]

    await cluster.checkpoint(None)
    again = cluster.host(bills, parcels)
    await again.project("orders", [])
    await cluster.checkpoint()
    assert await codes(again) == []


async def test_before_the_records_nothing_is_known(cluster: Cluster) -> None:
    """A module whose leases were past the beginning when the first record was made."""
    await cluster.checkpoint()
    host = cluster.host(bills)

    await host.project("orders", [])

    assert await codes(host) == ["not-covered"]


async def test_a_renamed_module_is_noticed(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    """By a line in the log before it projects, and by a finding, which its former name ends."""
    await cluster.host(bills).project("orders", [])
    await cluster.clock.sleep(60)
    moved = replace(bills, name="sales.bills")
    host = cluster.host(moved, module="sales")
    with caplog.at_level(logging.WARNING):
        await host.project("sales", [])

    line = "projection.renamed projection=sales.bills former=orders.bills"
    assert [record.getMessage() for record in caplog.records] == [line]
    assert await codes(host) == ["projection-renamed"]
    assert await codes(cluster.host(bills, module="sales")) == []


async def test_records_cost_a_write_and_a_read_a_minute(cluster: Cluster) -> None:
    """However many batches there are, also at once."""
    host = cluster.host(bills)
    leases: Any = host.services.tracker.leases
    seen: list[str] = []

    def counted(name: str) -> Callable[..., Any]:
        method = getattr(type(leases), name)

        async def call(*arguments: Any, **options: Any) -> Any:
            seen.append(name)
            return await method(leases, *arguments, **options)

        return call

    for name in ("read", "create", "replace", "upsert", "query"):
        object.__setattr__(leases, name, counted(name))
    await asyncio.gather(*(host.project("orders", []) for _ in range(20)))
    first, seen[:] = list(seen), []
    for _ in range(30):
        await host.project("orders", [])
        await cluster.clock.sleep(10)

    assert sorted(first) == ["create", "query", "query", "read", "upsert"]
    assert seen == ["read", "upsert"] * 4


async def test_a_record_that_cannot_be_stored_stops_only_the_first_batch(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Later ones go on, and the next one tries again."""
    host = cluster.host(bills)

    async def fail(*_: object) -> None:
        raise CosmosError("no")

    with monkeypatch.context() as patch:
        patch.setattr(type(host.services.tracker.leases), "read", fail)
        with pytest.raises(CosmosError):
            await host.project("orders", [])
    await host.project("orders", [bought(1)])
    await cluster.clock.sleep(61)
    with monkeypatch.context() as patch:
        patch.setattr(type(host.services.tracker.leases), "read", fail)
        await host.project("orders", [bought(2)])

    assert await cluster.given("Billed") == {1, 2}


async def test_garbage_in_place_of_a_record_is_replaced(cluster: Cluster) -> None:
    """It ends neither batches nor the status."""
    leases = cluster.database.get_container_client("leases")
    await leases.upsert_item({"id": "coverage.orders", "projections": [1]})
    await cluster.checkpoint()
    host = cluster.host(bills)

    await host.project("orders", [bought(1)])

    assert await since(host, "orders.bills") == cluster.now() + timedelta(minutes=1)


async def test_what_is_wrong_with_one_process_is_told_by_all(cluster: Cluster) -> None:
    """The platform may give the functions of HTTP and each trigger processes of their own."""
    host = cluster.host(bills)
    host.services.stored_documents.dates_rewritten = True

    await host.project("orders", [bought(1)])

    other = cluster.host(bills)
    assert await codes(other) == ["dates-rewritten"]
    assert (await other.check_health()).reasons == {"dates-rewritten": 1}
