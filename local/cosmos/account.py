"""The account with its databases and containers."""

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
from local.cosmos.throughput import fixed_throughput
from local.cosmos.throughput_limiter import ThroughputLimiter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.cosmos.replicas import ReplicaLag
    from local.cosmos.storage import ContainerRow, Kind, Storage
    from local.cosmos.throughput import Throughput

_CONTAINER_NOT_FOUND = 1003


class Account:
    """The databases of the account; all changes are stored immediately.

    Args:
        storage: The stored state.
        partitions: The number of physical partitions of new containers.
        throughput: The RU/s of containers that are created without throughput, None for no limit.
        lag: The age of the state that reads without a session token see.
        multiple_write_locations: Whether the account reports that it has several write regions.
        consistency: The default consistency that the account reports.
        clock: Returns the seconds of a monotonic clock.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        partitions: int,
        throughput: int | None,
        lag: ReplicaLag,
        multiple_write_locations: bool,
        consistency: str = "Session",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.storage = storage
        self.multiple_write_locations = multiple_write_locations
        self.consistency = consistency
        self._partitions = partitions
        self._throughput = None if throughput is None else fixed_throughput(throughput)
        self._lag = lag
        self._clock = clock
        self.databases = {
            name: Database(number=number, id=name, throughput=throughput, ts=ts)
            for number, name, throughput, ts in storage.databases()
        }
        by_number = {database.number: database for database in self.databases.values()}
        for row in storage.containers():
            self._open(by_number[row.database], row)

    def containers(self) -> Iterator[Container]:
        """Yield the containers of all databases."""
        for database in self.databases.values():
            yield from database.containers.values()

    def database(self, name: str) -> Database:
        """Return the database with the given name.

        Raises:
            ServiceError: 404, if it does not exist.
        """
        try:
            return self.databases[name]
        except KeyError:
            raise not_found(f"Database {name!r}") from None

    def container(self, database: str, name: str) -> Container:
        """Return the container with the given name.

        Raises:
            ServiceError: 404, if it does not exist.
        """
        try:
            return self.database(database).containers[name]
        except KeyError:
            raise not_found(f"Container {name!r} of database {database!r}") from None

    def container_for_items(self, database: str, name: str) -> Container:
        """Return the container of a request for items.

        Raises:
            ServiceError: 404/1003, if the container, rather than an item, does not exist.
        """
        try:
            return self.container(database, name)
        except ServiceError as error:
            error.sub_status = _CONTAINER_NOT_FOUND
            raise

    def resolve_rids(self, segments: tuple[str, ...]) -> tuple[str, ...]:
        """Return a path with names in place of resource ids, if it consists of them.

        Resource ids that do not exist are kept. A database whose name looks like a resource id is
        found by its name.
        """
        if not is_rid_link(segments) or segments[1] in self.databases:
            return segments
        resolved = list(segments)
        for index, name in enumerate(self._names(segments[1::2])):
            resolved[2 * index + 1] = name
        return tuple(resolved)

    def create_database(self, name: object, throughput: Throughput | None) -> Database:
        """Create a database.

        Raises:
            ServiceError: 400, if the name is invalid; 409, if it is in use.
        """
        database_id = validate_resource_id(name)
        if database_id in self.databases:
            raise conflict(f"Database {database_id!r}")
        ts = int(time.time())
        number = self.storage.add_database(database_id, throughput, ts)
        database = Database(number=number, id=database_id, throughput=throughput, ts=ts)
        self.databases[database_id] = database
        return database

    def delete_database(self, name: str) -> None:
        """Delete a database with its containers.

        Raises:
            ServiceError: 404, if it does not exist.
        """
        database = self.database(name)
        with self.storage.transaction():
            for container in database.containers.values():
                self.storage.remove_container(container.number)
            self.storage.remove_database(database.number)
        del self.databases[name]

    def create_container(
        self, database: Database, body: dict[str, Any], throughput: Throughput | None
    ) -> Container:
        """Create a container with its physical partitions.

        Raises:
            ServiceError: 400, if the definition is invalid; 409, if the name is in use.
        """
        definition = container_definition(body)
        if definition["id"] in database.containers:
            raise conflict(f"Container {definition['id']!r}")
        ts = int(time.time())
        with self.storage.transaction():
            row = self.storage.add_container(database.number, definition, throughput, ts)
            for key_range in split_evenly(self._partitions):
                self.storage.add_partition(row.number, key_range)
        return self._open(database, row)

    def replace_container(self, container: Container, body: dict[str, Any]) -> None:
        """Replace the definition of a container, such as its indexing policy or time to live.

        Raises:
            ServiceError: 400, if it is invalid, or if the id or the partition key differs.
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

    def replace_throughput(self, resource: Database | Container, throughput: Throughput) -> None:
        """Replace the throughput of a database or a container."""
        kind: Kind = "databases" if isinstance(resource, Database) else "containers"
        self.storage.set_throughput(kind, resource.number, throughput)
        resource.provision(throughput)

    def _names(self, rids: tuple[str, ...]) -> Iterator[str]:
        """Yield the names of a database, its container and its item, as long as they exist."""
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
                Partition(
                    key_range=key_range, lsn=lsn, limiter=ThroughputLimiter(share, self._clock)
                )
                for key_range, lsn in stored
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
