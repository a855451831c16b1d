"""The account as it lives: databases, containers and their physical partitions."""

from __future__ import annotations

import time
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local.cosmos.budget import Budget
from local.cosmos.errors import ServiceError, bad_request, conflict, not_found, throttled
from local.cosmos.partitions import Range, effective_key, split_evenly
from local.cosmos.rids import container_rid, database_rid

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.cosmos.storage import Storage

_OWNER_MISSING = 1003
_DEFAULT_POLICY = {
    "indexingMode": "consistent",
    "automatic": True,
    "includedPaths": [{"path": "/*"}],
    "excludedPaths": [{"path": '/"_etag"/?'}],
}


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


@dataclass
class Usage:
    """What requests amounted to."""

    requests: int = 0
    throttled: int = 0
    charge: float = 0.0


@dataclass(kw_only=True)
class Container:
    """A container; `definition` is what the service echoes."""

    number: int
    rid: str
    database: Database
    definition: dict[str, Any]
    ts: int
    partitions: list[Partition]
    usage: Usage = field(default_factory=Usage)

    def __post_init__(self) -> None:
        paths = self.definition["partitionKey"]["paths"]
        self.key_path = [part.strip('"') for part in paths[0].split("/")[1:]]
        self.default_ttl: int | None = self.definition.get("defaultTtl")
        self.policy: dict[str, Any] = self.definition["indexingPolicy"]
        self._minima = [each.range.minimum for each in self.partitions]

    @property
    def id(self) -> str:
        """The container's name."""
        return str(self.definition["id"])

    def partition_of(self, epk: str) -> Partition:
        """The physical partition that holds this effective partition key."""
        return self.partitions[bisect_right(self._minima, epk) - 1]

    def partition_by_id(self, partition_id: str) -> Partition | None:
        """The physical partition of this id; None if it is gone."""
        return next((each for each in self.partitions if each.range.id == partition_id), None)

    def place(self, key: Any) -> tuple[Partition, str]:  # noqa: ANN401 - any JSON scalar
        """The partition and effective key of a partition key."""
        epk = effective_key(key)
        return self.partition_of(epk), epk


@dataclass
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


class Account:
    """All databases; what it changes is stored at once.

    Args:
        storage: The state.
        partitions: Physical partitions of new containers.
        throughput: RU/s of containers that were created without; None for without limit.
        clock: Seconds on a monotonic clock.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        partitions: int,
        throughput: int | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.storage = storage
        self._partitions = partitions
        self._throughput = throughput
        self._clock = clock
        self.databases = {
            name: Database(number, name, ts) for number, name, ts in storage.databases()
        }
        by_number = {each.number: each for each in self.databases.values()}
        for row in storage.containers():
            database = by_number[row.database]
            database.containers[row.id] = self._live(
                database, row.number, row.definition, row.throughput, row.ts
            )

    def database(self, name: str) -> Database:
        """The database of this name.

        Raises:
            ServiceError: 404.
        """
        try:
            return self.databases[name]
        except KeyError:
            raise not_found(f"Database {name!r}") from None

    def container(self, database: str, name: str) -> Container:
        """The container of this name.

        Raises:
            ServiceError: 404.
        """
        try:
            return self.database(database).containers[name]
        except KeyError:
            raise not_found(f"Container {name!r}") from None

    def owner(self, database: str, name: str) -> Container:
        """The container of a request for its items.

        Raises:
            ServiceError: 404/1003, which tells that not the item but its container is missing.
        """
        try:
            return self.container(database, name)
        except ServiceError as error:
            error.sub_status = _OWNER_MISSING
            raise

    def create_database(self, name: object) -> Database:
        """A new database.

        Raises:
            ServiceError: 400, 409.
        """
        checked = _resource_name(name)
        if checked in self.databases:
            raise conflict(f"Database {checked!r}")
        ts = int(time.time())
        self.databases[checked] = Database(self.storage.add_database(checked, ts), checked, ts)
        return self.databases[checked]

    def delete_database(self, name: str) -> None:
        """Delete a database with its containers.

        Raises:
            ServiceError: 404.
        """
        database = self.database(name)
        with self.storage.transaction():
            for each in database.containers.values():
                self.storage.remove_container(each.number)
            self.storage.remove_database(database.number)
        del self.databases[name]

    def create_container(
        self, database: Database, body: dict[str, Any], throughput: int | None
    ) -> Container:
        """A new container with its physical partitions.

        Raises:
            ServiceError: 400, 409.
        """
        definition = _definition(body)
        name = definition["id"]
        if name in database.containers:
            raise conflict(f"Container {name!r}")
        ts = int(time.time())
        with self.storage.transaction():
            number = self.storage.add_container(database.number, name, definition, throughput, ts)
            for each in split_evenly(self._partitions):
                self.storage.add_partition(number, each, 0)
        database.containers[name] = self._live(database, number, definition, throughput, ts)
        return database.containers[name]

    def replace_container(self, container: Container, body: dict[str, Any]) -> Container:
        """The container with another indexing policy or TTL.

        Raises:
            ServiceError: 400 if the id or the partition key differs.
        """
        definition = _definition(body)
        fixed = ("id", "partitionKey")
        if any(definition[name] != container.definition[name] for name in fixed):
            raise bad_request("A container's id and partition key cannot be changed.")
        self.storage.change_container(container.number, definition)
        container.definition = definition
        container.__post_init__()
        return container

    def delete_container(self, container: Container) -> None:
        """Delete a container with its items."""
        with self.storage.transaction():
            self.storage.remove_container(container.number)
        del container.database.containers[container.id]

    def _live(
        self,
        database: Database,
        number: int,
        definition: dict[str, Any],
        throughput: int | None,
        ts: int,
    ) -> Container:
        stored = self.storage.partitions(number)
        total = throughput or self._throughput
        share = total / len(stored) if total else None
        return Container(
            number=number,
            rid=container_rid(database.number, number),
            database=database,
            definition=definition,
            ts=ts,
            partitions=[
                Partition(range=each, lsn=lsn, budget=Budget(share, self._clock))
                for each, lsn in stored
            ],
        )


def _resource_name(name: object) -> str:
    if not isinstance(name, str) or not name or any(char in name for char in "/\\?#"):
        raise bad_request("An id is text without / \\ ? #, and not empty.")
    return name


def _definition(body: dict[str, Any]) -> dict[str, Any]:
    key = body.get("partitionKey")
    if not isinstance(key, dict) or len(key.get("paths", ())) != 1:
        raise bad_request("The embedded Cosmos DB covers partition keys of exactly one path.")
    if key.get("kind", "Hash") != "Hash" or not str(key["paths"][0]).startswith("/"):
        raise bad_request("The embedded Cosmos DB covers partition keys of kind Hash only.")
    kept = {name: value for name, value in body.items() if not name.startswith("_")}
    return {
        "indexingPolicy": _DEFAULT_POLICY,
        **kept,
        "id": _resource_name(body.get("id")),
        "partitionKey": {"paths": key["paths"], "kind": "Hash", "version": 2},
    }
