"""The account: databases and containers, found by name, made and deleted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from local.cosmos.containers import Container, Database, Partition
from local.cosmos.definitions import container_definition
from local.cosmos.errors import ServiceError, bad_request, conflict, not_found
from local.cosmos.ids import validate_resource_id
from local.cosmos.partitions import split_evenly
from local.cosmos.replicas import History
from local.cosmos.rids import is_rid_link, item_number
from local.cosmos.throughput import default
from local.cosmos.throughput_limiter import ThroughputLimiter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.cosmos.replicas import ReplicaLag
    from local.cosmos.storage import ContainerRow, Kind, Storage
    from local.cosmos.throughput import Throughput

_OWNER_MISSING = 1003


class Account:
    """All databases; what it changes is stored at once.

    Args:
        storage: The state.
        partitions: Physical partitions of new containers.
        throughput: RU/s of containers that were created without; None for without limit.
        lag: The age of what reads without a session token see.
        multiple_write_locations: Whether it names itself one that is written in several regions.
        clock: Seconds on a monotonic clock, for the budgets.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        partitions: int,
        throughput: int | None,
        lag: ReplicaLag,
        multiple_write_locations: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.storage = storage
        self.multiple_write_locations = multiple_write_locations
        self._partitions = partitions
        self._throughput = None if throughput is None else default(throughput)
        self._lag = lag
        self._clock = clock
        self.databases = {
            name: Database(number=number, id=name, throughput=throughput, ts=ts)
            for number, name, throughput, ts in storage.databases()
        }
        by_number = {each.number: each for each in self.databases.values()}
        for row in storage.containers():
            self._open(by_number[row.database], row)

    def containers(self) -> Iterator[Container]:
        """Every container of every database."""
        for database in self.databases.values():
            yield from database.containers.values()

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
            raise not_found(f"Container {name!r} of database {database!r}") from None

    def container_for_items(self, database: str, name: str) -> Container:
        """The container of a request for its items.

        Raises:
            ServiceError: 404/1003, which tells that not the item but its container is missing.
        """
        try:
            return self.container(database, name)
        except ServiceError as error:
            error.sub_status = _OWNER_MISSING
            raise

    def named(self, segments: tuple[str, ...]) -> tuple[str, ...]:
        """Return a path with names in place of resource ids, where it consists of them.

        Resource ids that do not exist stay, and so does the name of a database that looks like one.
        """
        if not is_rid_link(segments) or segments[1] in self.databases:
            return segments
        named = list(segments)
        for place, name in enumerate(self._names(segments[1::2])):
            named[2 * place + 1] = name
        return tuple(named)

    def create_database(self, name: object, throughput: Throughput | None) -> Database:
        """A new database.

        Raises:
            ServiceError: 400, 409.
        """
        checked = validate_resource_id(name)
        if checked in self.databases:
            raise conflict(f"Database {checked!r}")
        ts = int(time.time())
        number = self.storage.add_database(checked, throughput, ts)
        database = Database(number=number, id=checked, throughput=throughput, ts=ts)
        self.databases[checked] = database
        return database

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
        self, database: Database, body: dict[str, Any], throughput: Throughput | None
    ) -> Container:
        """A new container with its physical partitions.

        Raises:
            ServiceError: 400, 409.
        """
        definition = container_definition(body)
        if definition["id"] in database.containers:
            raise conflict(f"Container {definition['id']!r}")
        ts = int(time.time())
        with self.storage.transaction():
            row = self.storage.add_container(database.number, definition, throughput, ts)
            for each in split_evenly(self._partitions):
                self.storage.add_partition(row.number, each)
        return self._open(database, row)

    def replace_container(self, container: Container, body: dict[str, Any]) -> None:
        """Give a container another indexing policy or TTL.

        Raises:
            ServiceError: 400 if the id or the partition key differs.
        """
        definition = container_definition(body)
        fixed = ("id", "partitionKey")
        if any(definition[name] != container.definition[name] for name in fixed):
            raise bad_request("A container's id and partition key cannot be changed.")
        self.storage.change_container(container.number, definition)
        container.define(definition)

    def delete_container(self, container: Container) -> None:
        """Delete a container with its items."""
        with self.storage.transaction():
            self.storage.remove_container(container.number)
        del container.database.containers[container.id]

    def replace_throughput(self, owner: Database | Container, throughput: Throughput) -> None:
        """Give a database or a container another throughput."""
        kind: Kind = "databases" if isinstance(owner, Database) else "containers"
        self.storage.set_throughput(kind, owner.number, throughput)
        owner.provision(throughput)

    def _names(self, rids: tuple[str, ...]) -> Iterator[str]:
        """Yield the names of a database, its container and its item, as far as they exist."""
        for database in self.databases.values():
            if database.rid == rids[0]:
                yield database.id
                yield from _names_in(database, rids[1:])

    def _open(self, database: Database, row: ContainerRow) -> Container:
        throughput = row.throughput or self._throughput
        stored = self.storage.partitions(row.number)
        share = throughput.limit / len(stored) if throughput else None
        container = Container(
            storage=self.storage,
            database=database,
            number=row.number,
            definition=row.definition,
            throughput=throughput,
            ts=row.ts,
            partitions=[
                Partition(key_range=each, lsn=lsn, limiter=ThroughputLimiter(share, self._clock))
                for each, lsn in stored
            ],
            history=History(self._lag, self._clock),
        )
        database.containers[container.id] = container
        return container


def _names_in(database: Database, rids: tuple[str, ...]) -> Iterator[str]:
    for container in database.containers.values():
        if rids and container.rid == rids[0]:
            yield container.id
            item_id = container.table.id_of(item_number(rids[1])) if len(rids) > 1 else None
            if item_id is not None:
                yield item_id
