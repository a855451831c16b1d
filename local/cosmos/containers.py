"""Databases, containers and physical partitions as they live in memory."""

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
    """A physical partition: its key range, the LSN of its last transaction, its budget."""

    key_range: KeyRange
    lsn: int
    limiter: ThroughputLimiter

    def admit(self) -> None:
        """Let a request through.

        Raises:
            ServiceError: 429, with the time until the budget is positive again.
        """
        if wait := self.limiter.retry_after_ms():
            raise throttled(wait)


@dataclass(kw_only=True)
class Usage:
    """What requests amounted to; throttled is one of which at least an operation was refused."""

    requests: int = 0
    throttled: int = 0
    throttled_operations: int = 0
    charge: float = 0.0


@dataclass(kw_only=True)
class Database:
    """A database and its containers by name."""

    number: int
    id: str
    throughput: Throughput | None
    ts: int
    containers: dict[str, Container] = field(default_factory=dict)

    @property
    def rid(self) -> str:
        """Its resource id."""
        return database_rid(self.number)

    @property
    def link(self) -> str:
        """The link by resource id."""
        return f"dbs/{self.rid}/"

    @property
    def offer_rid(self) -> str:
        """The resource id of the offer with its throughput."""
        return offer_rid(self.number, of_container=False)

    def provision(self, throughput: Throughput) -> None:
        """Have another throughput, which limits nothing."""
        self.throughput = throughput


class Container:
    """A container: what it is defined as, its physical partitions and its items.

    Args:
        storage: The state.
        database: The database that it is in.
        number: Its number in the storage.
        definition: What the service echoes.
        throughput: The throughput of all partitions together, None for no limit.
        ts: Second of its creation.
        partitions: Its physical partitions, in the order of their key ranges.
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
        self.owner_headers = _owner_headers(f"dbs/{database.id}/colls/{definition['id']}", self.rid)
        self.throughput = throughput
        self.ts = ts
        self.partitions = partitions
        self.history = history
        self.usage = Usage()
        self.define(definition)

    def define(self, definition: dict[str, Any]) -> None:
        """Be defined by this from now on."""
        self.definition = definition
        self.id: str = definition["id"]
        self.partition_key_path = partition_key_path(definition)
        self.default_ttl: int | None = definition.get("defaultTtl")
        self.indexed_paths = IndexedPaths(definition["indexingPolicy"])

    def partition_of(self, key: PartitionKey) -> Partition:
        """The physical partition that holds this partition key."""
        return next(each for each in self.partitions if each.key_range.contains(key.epk))

    def partition_by_id(self, partition_id: str) -> Partition:
        """The physical partition of this id.

        Raises:
            ServiceError: 410/1002, if there is none, or none any more.
        """
        for each in self.partitions:
            if each.key_range.id == partition_id:
                return each
        raise partition_gone()

    def view(self, partitions: Sequence[Partition], session_token: str) -> View:
        """Return what a read with this session token sees; an empty token demands nothing.

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
        """Split a physical partition in the middle of its key range, as the service does at will.

        Its children go on from its last LSN, so that tokens of its feed stay good; it is gone
        itself. The throughput is spread anew.

        Raises:
            ServiceError: 410/1002, if there is no such partition.
        """
        whole = self.partition_by_id(partition_id)
        known = (
            name
            for each in self.partitions
            for name in (each.key_range.id, *each.key_range.parents)
        )
        ranges = split_in_half(whole.key_range, max(map(int, known)) + 1)
        with self.storage.transaction():
            for each in ranges:
                self.storage.add_partition(self.number, each, whole.lsn)
                self.table.move(partition_id, each.id, each.minimum, each.maximum)
            self.storage.remove_partition(self.number, partition_id)
        left, right = (
            Partition(key_range=each, lsn=whole.lsn, limiter=whole.limiter) for each in ranges
        )
        at = self.partitions.index(whole)
        self.partitions[at : at + 1] = [left, right]
        self._share_throughput()
        return left, right

    def provision(self, throughput: Throughput) -> None:
        """Have another throughput, which the partitions share evenly from now on."""
        self.throughput = throughput
        self._share_throughput()

    def _share_throughput(self) -> None:
        share = self.throughput.limit / len(self.partitions) if self.throughput else None
        for partition in self.partitions:
            partition.limiter = partition.limiter.with_rate(share)


def _owner_headers(link: str, rid: str) -> dict[str, str]:
    """Return the headers by which clients store session tokens; they are ASCII as all headers."""
    return {"x-ms-alt-content-path": quote(link, safe=f"{punctuation} "), "x-ms-content-path": rid}
