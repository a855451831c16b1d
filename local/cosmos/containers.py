"""Databases, containers and physical partitions in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from string import punctuation
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from local.cosmos.definitions import partition_key_path
from local.cosmos.errors import partition_gone, session_not_available, throttled
from local.cosmos.indexing import IndexedPaths
from local.cosmos.partitions import split_in_half
from local.cosmos.replicas import Change, History, View
from local.cosmos.rids import container_bytes, container_rid, database_rid, offer_rid
from local.cosmos.sessions import demanded_lsn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.cosmos.partitions import KeyRange, PartitionKey
    from local.cosmos.storage import Storage
    from local.cosmos.table import ItemTable
    from local.cosmos.throughput import Throughput
    from local.cosmos.throughput_limiter import ThroughputLimiter


@dataclass(kw_only=True)
class Partition:
    """A physical partition.

    Attributes:
        key_range: The key range, which has the id of the partition.
        lsn: The LSN of the last transaction.
        limiter: The throughput limiter.
    """

    key_range: KeyRange
    lsn: int
    limiter: ThroughputLimiter

    def admit(self) -> None:
        """Admit a request.

        Raises:
            ServiceError: 429 with a retry-after delay, if the throughput is used up.
        """
        if retry_after_ms := self.limiter.retry_after_ms():
            raise throttled(retry_after_ms)


@dataclass(kw_only=True)
class Usage:
    """The usage of a container by requests for its items.

    Attributes:
        requests: The number of requests.
        throttled: The number of requests of which at least one operation was throttled.
        throttled_operations: The number of throttled operations.
        charge: The sum of the request charges.
    """

    requests: int = 0
    throttled: int = 0
    throttled_operations: int = 0
    charge: float = 0.0


@dataclass(kw_only=True)
class Database:
    """A database.

    Attributes:
        number: The number in the storage.
        id: The name.
        throughput: The throughput, None for none.
        ts: The second of its creation, since 1970.
        containers: The containers by name.
    """

    number: int
    id: str
    throughput: Throughput | None
    ts: int
    containers: dict[str, Container] = field(default_factory=dict)

    @property
    def rid(self) -> str:
        """The resource id."""
        return database_rid(self.number)

    @property
    def link(self) -> str:
        """The link, which consists of resource ids."""
        return f"dbs/{self.rid}/"

    @property
    def offer_rid(self) -> str:
        """The resource id of the offer with its throughput."""
        return offer_rid(self.number, of_container=False)

    def provision(self, throughput: Throughput) -> None:
        """Replace the throughput, which limits nothing."""
        self.throughput = throughput


class Container:
    """A container with its definition, physical partitions and items.

    Args:
        storage: The stored state.
        database: The database of the container.
        number: The number in the storage.
        definition: The definition that the service returns.
        throughput: The total throughput of all partitions, None for no limit.
        ts: The second of its creation, since 1970.
        partitions: The physical partitions in the order of their key ranges.
        history: The recent writes, for reads from a replica that lags.
    """

    def __init__(
        self,
        *,
        storage: Storage,
        database: Database,
        number: int,
        definition: dict[str, Any],
        throughput: Throughput | None,
        ts: int,
        partitions: list[Partition],
        history: History,
    ) -> None:
        self.storage = storage
        self.table: ItemTable = storage.table(number)
        self.database = database
        self.number = number
        self.rid = container_rid(database.number, number)
        self.rid_bytes = container_bytes(database.number, number)
        self.link = f"{database.link}colls/{self.rid}/"
        self.offer_rid = offer_rid(number, of_container=True)
        self.content_path_headers = _content_path_headers(
            f"dbs/{database.id}/colls/{definition['id']}", self.rid
        )
        self.throughput = throughput
        self.ts = ts
        self.partitions = partitions
        self.history = history
        self.usage = Usage()
        self.define(definition)

    def define(self, definition: dict[str, Any]) -> None:
        """Replace the definition."""
        self.definition = definition
        self.id: str = definition["id"]
        self.partition_key_path = partition_key_path(definition)
        self.default_ttl: int | None = definition.get("defaultTtl")
        self.indexed_paths = IndexedPaths(definition["indexingPolicy"])

    def partition_of(self, key: PartitionKey) -> Partition:
        """Return the physical partition of a partition key."""
        return next(
            partition for partition in self.partitions if partition.key_range.contains(key.epk)
        )

    def partition_by_id(self, partition_id: str) -> Partition:
        """Return the physical partition with the given id.

        Raises:
            ServiceError: 410/1002, if it does not exist, or not any more.
        """
        for partition in self.partitions:
            if partition.key_range.id == partition_id:
                return partition
        raise partition_gone()

    def view(self, partitions: Sequence[Partition], session_token: str) -> View:
        """Return the state that a read with the given session token sees; the token may be empty.

        Raises:
            ServiceError: 400, if the token is malformed; 404/1002, if it names an LSN that does
                not exist.
        """
        lsns: dict[str, int] = {}
        unreplicated: list[Change] = []
        for partition in partitions:
            demanded = demanded_lsn(session_token, partition.key_range)
            if demanded is not None and demanded > partition.lsn:
                raise session_not_available()
            missing = self.history.unreplicated(partition.key_range, demanded)
            lsns[partition.key_range.id] = missing[0].lsn - 1 if missing else partition.lsn
            unreplicated += missing
        return View(self.table, lsns, unreplicated)

    def split(self, partition_id: str) -> tuple[Partition, Partition]:
        """Split a physical partition in the middle of its key range.

        The children replace it and continue its LSNs, so that continuation tokens of its feed stay
        valid. All partitions share the throughput evenly again.

        Raises:
            ServiceError: 410/1002, if there is no such partition.
        """
        parent = self.partition_by_id(partition_id)
        used_ids = (
            int(used_id)
            for partition in self.partitions
            for used_id in (partition.key_range.id, *partition.key_range.parents)
        )
        halves = split_in_half(parent.key_range, max(used_ids) + 1)
        with self.storage.transaction():
            for half in halves:
                self.storage.add_partition(self.number, half, parent.lsn)
                self.table.move(partition_id, half.id, half.minimum, half.maximum)
            self.storage.remove_partition(self.number, partition_id)
        left, right = (
            Partition(key_range=half, lsn=parent.lsn, limiter=parent.limiter) for half in halves
        )
        index = self.partitions.index(parent)
        self.partitions[index : index + 1] = [left, right]
        self._share_throughput()
        return left, right

    def provision(self, throughput: Throughput) -> None:
        """Replace the throughput, which the partitions share evenly."""
        self.throughput = throughput
        self._share_throughput()

    def _share_throughput(self) -> None:
        share = self.throughput.limit / len(self.partitions) if self.throughput else None
        for partition in self.partitions:
            partition.limiter = partition.limiter.with_rate(share)


def _content_path_headers(link: str, rid: str) -> dict[str, str]:
    """Return the ASCII headers by which clients store session tokens."""
    return {"x-ms-alt-content-path": quote(link, safe=f"{punctuation} "), "x-ms-content-path": rid}
