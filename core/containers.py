"""The containers that the app needs, as values: one source for every place that creates them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from core.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Container:
    """A container's definition.

    Attributes:
        name: As the settings name it.
        partition_key: Path of the partition key.
        indexed: Paths that queries filter by; all others stay out of the index, for they cost RU
            with every write.
        default_ttl: Seconds, -1 for "only where an item says so", None for off.
    """

    name: str
    partition_key: str
    indexed: tuple[str, ...]
    default_ttl: int | None = None

    @property
    def indexing_policy(self) -> dict[str, Any]:
        """The indexing policy in the service's form."""
        return {
            "indexingMode": "consistent",
            "automatic": True,
            "includedPaths": [{"path": path} for path in self.indexed],
            "excludedPaths": [{"path": "/*"}],
        }


def containers(settings: Settings) -> tuple[Container, ...]:
    """Events, leases and dead letters.

    The partition key of events is indexed, as Cosmos DB does not do so by itself. Events have no
    TTL: one that expired before it was read would never be projected. Leases need the TTL switched
    on for the lock that the trigger takes at its first start.
    """
    return (
        Container(name=settings.events, partition_key="/streamId", indexed=("/streamId/?",)),
        Container(name=settings.leases, partition_key="/id", indexed=(), default_ttl=-1),
        Container(
            name=settings.dead_letters,
            partition_key="/module",
            indexed=("/module/?", "/projection/?", "/streamId/?", "/eventId/?", "/blocking/?"),
        ),
    )
