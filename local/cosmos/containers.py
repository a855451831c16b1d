"""Databases, containers and physical partitions as they live in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.cosmos.definitions import key_path
from local.cosmos.errors import partition_gone, throttled
from local.cosmos.indexing import IndexedPaths
from local.cosmos.rids import container_bytes, container_rid, database_rid

if TYPE_CHECKING:
    from local.cosmos.budget import Budget
    from local.cosmos.partitions import Key, Range
    from local.cosmos.storage import Storage
    from local.cosmos.table import ItemTable


@dataclass(kw_only=True)
class Partition:
    """A physical partition: its key range, the LSN of its last transaction, its budget."""

    range: Range
    lsn: int
    budget: Budget

    def admit(self) -> None:
        """Let a request through.

        Raises:
            ServiceError: 429, with the time until the budget is positive again.
        """
        if wait := self.budget.wait_ms():
            raise throttled(wait)

    @property
    def session_token(self) -> str:
        """`{id}:-1#{lsn}`: partition, version, global LSN."""
        return f"{self.range.id}:-1#{self.lsn}"


@dataclass(kw_only=True)
class Usage:
    """What requests amounted to."""

    requests: int = 0
    throttled: int = 0
    charge: float = 0.0


@dataclass(kw_only=True)
class Database:
    """A database and its containers by name."""

    number: int
    id: str
    ts: int
    containers: dict[str, Container] = field(default_factory=dict)

    @property
    def rid(self) -> str:
        """Its resource id."""
        return database_rid(self.number)


class Container:
    """A container: what it is defined as, its physical partitions and its items.

    Args:
        storage: The state.
        database: The database that it is in.
        number: Its number in the storage.
        definition: What the service echoes.
        throughput: RU/s of all partitions together; None for without limit.
        ts: Second of its creation.
        partitions: Its physical partitions, in the order of their key ranges.
    """

    def __init__(
        self,
        *,
        storage: Storage,
        database: Database,
        number: int,
        definition: dict[str, Any],
        throughput: int | None,
        ts: int,
        partitions: list[Partition],
    ) -> None:
        self.storage = storage
        self.table: ItemTable = storage.table(number)
        self.database = database
        self.number = number
        self.rid = container_rid(database.number, number)
        self.rid_bytes = container_bytes(database.number, number)
        self.link = f"dbs/{database.rid}/colls/{self.rid}/"
        self.throughput = throughput
        self.ts = ts
        self.partitions = partitions
        self.usage = Usage()
        self.define(definition)

    def define(self, definition: dict[str, Any]) -> None:
        """Be defined by this from now on."""
        self.definition = definition
        self.id: str = definition["id"]
        self.key_path = key_path(definition)
        self.default_ttl: int | None = definition.get("defaultTtl")
        self.indexed_paths = IndexedPaths(definition["indexingPolicy"])

    def partition_of(self, key: Key) -> Partition:
        """The physical partition that holds this partition key."""
        return next(each for each in self.partitions if each.range.holds(key.epk))

    def partition_by_id(self, partition_id: str) -> Partition:
        """The physical partition of this id.

        Raises:
            ServiceError: 410/1002, if there is none, or none any more.
        """
        for each in self.partitions:
            if each.range.id == partition_id:
                return each
        raise partition_gone()
