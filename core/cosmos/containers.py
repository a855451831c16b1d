"""The definitions of the containers that the app needs.

They come from `containers.json`, which the Bicep files read as well, so that the account in Azure
and the embedded one have the same containers.
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
    """The definition of a container.

    Attributes:
        name: The name in the settings.
        partition_key: The path of the partition key.
        indexing_policy: The policy in the service's form. Only paths that queries filter by are
            indexed, because every other path adds to the cost of each write.
        default_ttl: The seconds after which items expire, -1 for only those items that have a TTL,
            None for no item.
    """

    name: str
    partition_key: str
    indexing_policy: dict[str, Any]
    default_ttl: int | None = None


def container_definitions(settings: Settings) -> tuple[ContainerDefinition, ...]:
    """Return the definitions of the containers for events, leases and dead letters.

    The partition key of events is indexed, which Cosmos DB does not do automatically. No event has
    a TTL, because one that expired before it was read would never be projected; the documents of
    idempotency keys have one. Leases need theirs for the lock that the trigger takes at its first
    start.
    """
    names = {
        "events": settings.events_container,
        "leases": settings.leases_container,
        "deadletters": settings.dead_letters_container,
    }
    return tuple(
        ContainerDefinition(
            name=names[definition["name"]],
            partition_key=definition["partitionKey"],
            indexing_policy=definition["indexingPolicy"],
            default_ttl=definition.get("defaultTtl"),
        )
        for definition in json.loads(_DEFINITIONS.read_text(encoding="utf-8"))
    )
