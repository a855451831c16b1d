"""Leases of killed hosts whose clocks were ahead."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from azure.core import MatchConditions
from azure.cosmos.aio import CosmosClient
from azure.cosmos.exceptions import CosmosAccessConditionFailedError

from local.cosmos import WELL_KNOWN_KEY
from local.harness.cluster import DATABASE

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

    from local.harness.cluster import Cluster


async def set_back_leases(cluster: Cluster) -> int:
    """Give leases from the future the time of now; return how many there were.

    A lease holds the time at which its host has renewed it, by the host's clock. If the clock was
    ahead and the host was killed, no other host takes the lease over before that time has come, as
    in Azure. The experiment does not wait as long. A host that lives renews its lease again.
    """
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    async with CosmosClient(cluster.endpoint, WELL_KNOWN_KEY) as sdk:
        container = sdk.get_database_client(DATABASE).get_container_client("leases")
        ahead = container.query_items(
            "SELECT * FROM c WHERE c.timestamp > @now", parameters=[{"name": "@now", "value": now}]
        )
        leases = [lease async for lease in ahead]
        for lease in leases:
            with suppress(CosmosAccessConditionFailedError):
                await _replace(container, {**lease, "timestamp": now})
    return len(leases)


async def _replace(container: ContainerProxy, lease: dict[str, object]) -> None:
    await container.replace_item(
        lease, lease, etag=str(lease["_etag"]), match_condition=MatchConditions.IfNotModified
    )
