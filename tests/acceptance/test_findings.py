"""Each damage of leases is named, alone and with all others, and hides nothing."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from azure.cosmos.aio import DatabaseProxy
from rich.console import Console

from admin.doctor import command
from admin.status import _TableView
from core.application import Application
from core.operations.status import StatusReport
from local.host.leases import PartitionKeyRange, lease_prefix, new_lease, timestamp
from tests.apps import follows
from tests.commands import EXAMPLE
from tests.support import followed

COUNT = 16


@pytest.fixture
def cosmos_options() -> dict[str, Any]:
    """As many physical partitions as there are leases."""
    return {"partitions": COUNT}


@pytest.fixture
def replica_lag() -> float:
    """No lag: leases are as they are for long before somebody looks."""
    return 0.0


@dataclass
class World:
    """An application with a sound lease for each physical partition."""

    application: Application
    database: DatabaseProxy
    prefix: str
    ranges: list[PartitionKeyRange]

    @property
    def leases(self) -> Any:
        """The lease container."""
        return self.database.get_container_client("leases")

    async def put(self, nth: int, prefix: str = "", **changes: Any) -> str:
        """Store a lease, which is renewed and behind, and return its id."""
        now = timestamp(datetime.now(timezone.utc))
        sound = new_lease(prefix or self.prefix, self.ranges[nth], '"0"')
        document = {**sound, "Owner": "host", "timestamp": now, **changes}
        await self.leases.upsert_item(document)
        return str(document["id"])

    async def delete(self, nth: int) -> str:
        """Delete a lease, and return its id."""
        lease_id = await self.put(nth)
        await self.leases.delete_item(lease_id, lease_id)
        return lease_id


@pytest.fixture
async def world(environ: dict[str, str], database: DatabaseProxy) -> AsyncIterator[World]:
    events = database.get_container_client("events")
    for number in range(1, 100):
        await events.create_item(followed(number, 999))
    spans = [one["Range"] async for one in events.read_feed_ranges()]
    ranges = [
        PartitionKeyRange(id=str(nth), minimum=span["min"], maximum=span["max"])
        for nth, span in enumerate(spans)
    ]
    prefix = lease_prefix("followship-", "http://127.0.0.1", (await events.read())["_rid"])
    application = Application.discover(follows, environ)
    await application.project("followship", [])
    prepared = World(application, database, prefix, ranges)
    for nth in range(COUNT):
        await prepared.put(nth)
    yield prepared
    await application.close()


def long_ago() -> str:
    return timestamp(datetime.now(timezone.utc) - timedelta(minutes=14))


def in_an_hour() -> str:
    return timestamp(datetime.now(timezone.utc) + timedelta(hours=1))


async def other_name(world: World, nth: int) -> str:
    return await world.put(nth, prefix=world.prefix.replace("127.0.0.1", "other.name"))


async def other_module(world: World, nth: int) -> str:
    return await world.put(nth, prefix=world.prefix.replace("followship-", "removed-"))


async def leftover(world: World, _: int) -> str:
    info = f"{world.prefix.replace('127.0.0.1', 'old.name')}.info"
    await world.leases.upsert_item({"id": info})
    return info


DAMAGES: dict[str, Callable[[World, int], Awaitable[str]]] = {
    "lease-unreadable": lambda world, nth: world.put(nth, FeedRange={"Range": 7}),
    "timestamp-unreadable": lambda world, nth: world.put(nth, timestamp="soon"),
    "token-unreadable": lambda world, nth: world.put(nth, ContinuationToken="garbage"),
    "checkpoint-ahead": lambda world, nth: world.put(nth, ContinuationToken='"1000"'),
    "uncovered": World.delete,
    "covered-twice": lambda world, nth: world.put(nth, id=f"{world.prefix}..copy"),
    "owner-dead": lambda world, nth: world.put(nth, timestamp=long_ago()),
    "lease-time-ahead": lambda world, nth: world.put(nth, timestamp=in_an_hour()),
    "nobody": lambda world, nth: world.put(nth, Owner=None, timestamp=long_ago()),
    "account-names": other_name,
    "module-gone": other_module,
    "lock-left": leftover,
}
UNKNOWN_LAG = {"token-unreadable", "checkpoint-ahead"}


async def of_doctor(folder: Path, environ: dict[str, str]) -> list[str]:
    """Return the codes that the doctor finds."""
    settings = folder / "settings.json"
    settings.write_text(json.dumps({"Values": environ}), encoding="utf-8")
    return [finding.code for finding in await command._check(settings, EXAMPLE / "host.json")]


async def seen(
    world: World, folder: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> StatusReport:
    """Return what the status shows; doctor and health show the same."""
    monkeypatch.setattr(command, "projections", follows)
    report = await world.application.status.report()
    codes = [finding.code for finding in report.findings]
    health = await world.application.check_health()
    assert await of_doctor(folder, environ) == codes
    assert health.status == ("degraded" if codes else "ok")
    assert health.reasons == Counter(codes)
    return report


async def test_sound_leases_have_no_finding(
    world: World, tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though they are behind."""
    report = await seen(world, tmp_path, environ, monkeypatch)

    assert report.findings == ()
    assert report.projections[0].lag_transactions == 99


@pytest.mark.parametrize("code", DAMAGES)
async def test_each_damage_is_named(
    world: World,
    tmp_path: Path,
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    code: str,
) -> None:
    """With what to do, and nothing else is."""
    await DAMAGES[code](world, 3)

    report = await seen(world, tmp_path, environ, monkeypatch)

    assert [finding.code for finding in report.findings] == [code]
    assert all(finding.message and finding.remedy for finding in report.findings)


async def test_all_damages_are_named_together(
    world: World, tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every sound lease is shown with its lag."""
    damaged = {await plant(world, nth): code for nth, (code, plant) in enumerate(DAMAGES.items())}

    report = await seen(world, tmp_path, environ, monkeypatch)

    assert sorted(finding.code for finding in report.findings) == sorted(DAMAGES)
    (module,) = report.projections
    assert len(module.leases) == COUNT + 1
    for lease in module.leases:
        has_lag = damaged.get(lease.id) not in UNKNOWN_LAG
        assert (lease.lag_transactions is not None) is has_lag, lease.id


async def test_the_command_shows_findings_and_lags_that_are_not_known(world: World) -> None:
    """One garbage checkpoint does not end it."""
    await DAMAGES["token-unreadable"](world, 3)
    console = Console(file=StringIO(), width=200)

    _TableView(console, live=False).update(await world.application.status.report())

    shown = console.file.getvalue()  # type: ignore[attr-defined] # the StringIO above
    assert len(re.findall(r"token-unreadable +garbage +unknown +unknown", shown)) == 1
    assert len(re.findall(r"active +0 +\d+", shown)) == COUNT - 1
    assert "Lease followship/3 has a checkpoint that cannot be read." in shown
    assert "delete every document" in shown
