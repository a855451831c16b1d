"""All times of the engine are those of one clock, which the account's corrects."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone

import pytest
from azure.cosmos.aio import DatabaseProxy

from core.application import Application
from core.cosmos.clock import ServiceClock
from core.model.registry import ProjectionModule
from core.tracking.leases import LeaseState
from local.host.leases import PartitionKeyRange, lease_prefix, new_lease
from tests.acceptance.test_deadletters import MODULE, asked
from tests.support import dead_letters_of

NOW = datetime(2040, 1, 1, tzinfo=timezone.utc)
"""The corrected time: the clock of this machine is years behind."""


pytestmark = pytest.mark.parametrize("replica_lag", [0.0])


@pytest.fixture
def application(
    opened: Callable[[ProjectionModule], Application], monkeypatch: pytest.MonkeyPatch
) -> Application:
    monkeypatch.setattr(ServiceClock, "now", lambda _: NOW)
    return opened(MODULE)


async def test_what_is_stored_has_the_corrected_time(
    application: Application, database: DatabaseProxy
) -> None:
    """Dead letters, coverage and the reports of hosts."""
    poison = asked(1, data={})
    await database.get_container_client("events").create_item(poison)

    await application.project("oracle", [poison])
    (letter,) = await dead_letters_of(application.dead_letters)
    leases = database.get_container_client("leases").read_all_items()
    records = {document["id"].partition(".")[0]: document async for document in leases}

    assert letter.first_failed_at == letter.last_failed_at == "2040-01-01T00:00:00.000000Z"
    assert records["host"]["reportedAt"] == "2040-01-01T00:00:00Z"
    sources = records["coverage"]["projections"]["oracle.echo"]["sources"]
    assert sources["Asked"]["recordedAt"] == "2040-01-01T00:00:00Z"


async def test_leases_are_judged_by_the_corrected_time(
    application: Application, database: DatabaseProxy
) -> None:
    """One that was renewed years ago has expired, and a lock of that time is left over."""
    rid = (await database.get_container_client("events").read())["_rid"]
    prefix = lease_prefix("oracle-", "http://127.0.0.1", rid)
    lease = new_lease(prefix, PartitionKeyRange(id="0", minimum="", maximum="FF"), '"0"')
    leases = database.get_container_client("leases")
    await leases.create_item({**lease, "Owner": "gone"})
    await leases.create_item({"id": f"{prefix}.lock"})

    report = await application.status.report()

    assert [one.state for one in report.projections[0].leases] == [LeaseState.EXPIRED]
    assert "lock-left" in {finding.code for finding in report.findings}
