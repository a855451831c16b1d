"""Checks of the Cosmos DB account."""

from __future__ import annotations

import asyncio
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import aiohttp

from core.cosmos.client import open_client
from core.cosmos.containers import container_definitions
from core.cosmos.requests import QUERY_TIMEOUT_SECONDS, collect, run_request
from core.errors import ConfigurationError, CosmosError
from core.operations.finding import error, warning
from core.tracking.leases import lease_prefix

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping

    from azure.cosmos.aio import DatabaseProxy

    from core.cosmos.client import Client
    from core.cosmos.containers import ContainerDefinition
    from core.operations.finding import Finding
    from core.settings import Connection, Settings

_CONNECT_TIMEOUT_SECONDS = 10.0
_MAX_CLOCK_SKEW_SECONDS = 60.0
"""Well below the 15 minutes after which Cosmos DB rejects requests that are signed with a key."""

_WEAK_CONSISTENCIES = frozenset({"ConsistentPrefix", "Eventual"})
"""The levels without session tokens."""

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404


async def check_account(
    settings: Settings, modules: Iterable[str], clock: Callable[[], float] = time.time
) -> AsyncIterator[Finding]:
    """Connect as the application does, and yield findings; change nothing.

    Args:
        settings: The settings, with a connection.
        modules: The names of the projection modules, from which the prefixes of leases follow.
        clock: A function that returns the time in seconds since 1970.
    """
    connection = settings.require_connection()
    is_reachable = True
    async for finding in _check_endpoint(connection, clock):
        is_reachable = finding.code == "clock-skew"
        yield finding
    if not is_reachable:
        return
    async with open_client(connection) as client:
        async for finding in _check_replication(client):
            yield finding
        database = client.get_database_client(settings.database)
        async for finding in _check_containers(database, settings, modules):
            yield finding


async def _check_endpoint(
    connection: Connection, clock: Callable[[], float]
) -> AsyncIterator[Finding]:
    timeout = aiohttp.ClientTimeout(total=_CONNECT_TIMEOUT_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(connection.endpoint, ssl=connection.verify_certificate) as response,
        ):
            date = response.headers.get("Date")
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as failure:
        yield error(
            "endpoint-unreachable",
            f"Cannot connect to {connection.endpoint} ({type(failure).__name__}).",
            "Check the endpoint's name, the account's firewall and, with private endpoints, the "
            "virtual network and its DNS.",
        )
        return
    skew = clock() - parsedate_to_datetime(date).timestamp() if date else 0.0
    if abs(skew) > _MAX_CLOCK_SKEW_SECONDS:
        yield error(
            "clock-skew",
            f"The clock of this machine differs from that of Cosmos DB by {abs(skew):.0f} s.",
            "Set the clock. Cosmos DB rejects requests signed with a wrong time, and lags in "
            "seconds are wrong.",
        )


async def _check_replication(client: Client) -> AsyncIterator[Finding]:
    """Yield findings if reads may be older than the process's writes, or writes may be undone."""
    try:
        account = await run_request(
            "reading the account", client.client_connection.GetDatabaseAccount()
        )
    except CosmosError:
        return  # the containers, which are read next, cannot be read either
    if account._EnableMultipleWritableLocations:  # noqa: SLF001 - the SDK has no other name for it
        yield error(
            "several-write-regions",
            "The account may take writes in several regions. Each would give the same positions to "
            "different events, of which all but one are lost.",
            "Turn multi-region writes off, in the portal or with "
            "`az cosmosdb update --enable-multiple-write-locations false`.",
        )
    consistency = str((account.ConsistencyPolicy or {}).get("defaultConsistencyLevel"))
    if consistency in _WEAK_CONSISTENCIES:
        yield error(
            "consistency-weak",
            f"The account's default consistency is {consistency}, so the application may not read "
            "what it has written.",
            "Set it to Session or stronger, in the portal or with "
            "`az cosmosdb update --default-consistency-level Session`.",
        )


async def _check_containers(
    database: DatabaseProxy, settings: Settings, modules: Iterable[str]
) -> AsyncIterator[Finding]:
    existing: dict[str, Mapping[str, Any]] = {}
    for definition in container_definitions(settings):
        name = definition.name
        try:
            request = database.get_container_client(name).read()
            existing[name] = await run_request(f"reading container {name}", request)
        except CosmosError as failure:
            yield _unreadable_container(name, settings.database, failure)
            if not isinstance(failure, ConfigurationError) or failure.status != _NOT_FOUND:
                return
        else:
            for finding in check_container(definition, existing[name]):
                yield finding
    if settings.leases_container in existing and settings.events_container in existing:
        rid = str(existing[settings.events_container]["_rid"])
        async for finding in _check_leases(database, settings, modules, rid):
            yield finding


async def _check_leases(
    database: DatabaseProxy, settings: Settings, modules: Iterable[str], events_rid: str
) -> AsyncIterator[Finding]:
    leases = database.get_container_client(settings.leases_container)
    try:
        ids = await run_request(
            "reading leases",
            collect(leases.query_items("SELECT VALUE c.id FROM c")),
            timeout_seconds=QUERY_TIMEOUT_SECONDS,
        )
    except CosmosError as failure:
        yield _unreadable_container(settings.leases_container, settings.database, failure)
        return
    for finding in check_lease_prefixes(map(str, ids), modules, events_rid):
        yield finding


def _unreadable_container(name: str, database: str, failure: CosmosError) -> Finding:
    if failure.status == _NOT_FOUND:
        return error(
            "container-missing",
            f"Container {name} of database {database} does not exist.",
            "Create it with `python -m admin init`, which needs a key, or deploy infra/.",
        )
    if failure.status == _UNAUTHORIZED:
        return error(
            "key-rejected",
            "Cosmos DB rejects the key, or the identity is not in the account's directory.",
            "Copy the key again, or check CosmosConnection__clientId.",
        )
    if failure.status == _FORBIDDEN:
        return error(
            "role-missing",
            f"The identity is not allowed to read container {name}.",
            "Assign it a data-plane role (sqlRoleAssignments), not one of the portal's access "
            "control. The account's firewall returns the same error.",
        )
    return error(
        "container-unreadable",
        str(failure),
        "Retry. If the error remains, search for this text or contact Azure support.",
    )


def check_container(
    definition: ContainerDefinition, properties: Mapping[str, Any]
) -> Iterator[Finding]:
    """Yield findings for a container that differs from its definition."""
    paths = properties.get("partitionKey", {}).get("paths")
    if paths != [definition.partition_key]:
        yield error(
            "partition-key-mismatch",
            f"Container {definition.name} has the partition key {paths}, "
            f"not {definition.partition_key}.",
            "It cannot be changed: create the container again, under this or another name.",
        )
    yield from _check_ttl(definition, properties.get("defaultTtl"))
    yield from _check_index(definition, properties.get("indexingPolicy") or {})


def _check_ttl(definition: ContainerDefinition, ttl: int | None) -> Iterator[Finding]:
    name = definition.name
    if definition.default_ttl is not None and ttl is None:
        yield error(
            "ttl-disabled",
            f"Container {name} has no TTL, so that neither the trigger's startup lock nor the "
            "records of idempotency keys expire.",
            "Enable its TTL without a default (-1).",
        )
    elif ttl is not None and ttl > 0:
        yield error(
            "ttl-expires-items",
            f"Container {name} deletes items after {ttl} s, whether processed or not.",
            "Disable its TTL." if definition.default_ttl is None else "Set its TTL to -1.",
        )


def _check_index(definition: ContainerDefinition, policy: Mapping[str, Any]) -> Iterator[Finding]:
    included = {entry["path"] for entry in policy.get("includedPaths", ())}
    needed = {entry["path"] for entry in definition.indexing_policy["includedPaths"]}
    name = definition.name
    if "/*" in included:
        yield warning(
            "index-too-broad",
            f"Container {name} indexes every property, so each new item costs 60% more.",
            f"Include {', '.join(sorted(needed)) or 'nothing'} and exclude /*.",
        )
    elif missing := sorted(needed - included):
        yield warning(
            "index-missing",
            f"Container {name} does not index {', '.join(missing)}: queries read every item.",
            "Include these paths in its indexing policy.",
        )


def check_lease_prefixes(
    lease_ids: Iterable[str], modules: Iterable[str], events_rid: str
) -> Iterator[Finding]:
    """Yield a finding for each module whose lease prefix another container's leases use.

    The id of a lease is `{prefix}{host}_{database rid}_{container rid}..{token}`.
    """
    stems = {
        stem for stem, dots, _ in (lease_id.rpartition("..") for lease_id in lease_ids) if dots
    }
    for module in sorted(modules):
        prefix = lease_prefix(module)
        with_prefix = {stem for stem in stems if stem.startswith(prefix)}
        if not all(stem.endswith(f"_{events_rid}") for stem in with_prefix):
            yield error(
                "lease-prefix-in-use",
                f"Leases with the prefix {prefix} exist for another events container.",
                "Give each application its own lease container (LeasesContainer). If the events "
                "container was created again, delete the leases of the previous one.",
            )
