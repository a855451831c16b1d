"""The containers that the app needs, as values: one source for every place that creates them.

`containers.json` is that source. The Bicep files read it as well, so the account in Azure and the
embedded one have the same containers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.settings import Settings

_DEFINITIONS = Path(__file__).with_name("containers.json")


@dataclass(frozen=True, kw_only=True)
class ContainerDefinition:
    """A container's definition.

    Attributes:
        name: As the settings name it.
        partition_key: Path of the partition key.
        indexing_policy: In the service's form. Only paths that queries filter by are indexed: all
            others would cost RU with every write.
        default_ttl: Seconds, -1 for "only where an item says so", None for off.
    """

    name: str
    partition_key: str
    indexing_policy: dict[str, Any]
    default_ttl: int | None = None


def container_definitions(settings: Settings) -> tuple[ContainerDefinition, ...]:
    """Events, leases and dead letters.

    The partition key of events is indexed, as Cosmos DB does not do so by itself. Events have no
    TTL: one that expired before it was read would never be projected. Leases need the TTL switched
    on for the lock that the trigger takes at its first start.
    """
    names = {
        "events": settings.events_container,
        "leases": settings.leases_container,
        "deadletters": settings.dead_letters_container,
    }
    return tuple(
        ContainerDefinition(
            name=names[each["name"]],
            partition_key=each["partitionKey"],
            indexing_policy=each["indexingPolicy"],
            default_ttl=each.get("defaultTtl"),
        )
        for each in json.loads(_DEFINITIONS.read_text(encoding="utf-8"))
    )
