"""What is wrong with the Cosmos DB account."""

from __future__ import annotations

import asyncio
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import aiohttp

from admin.doctor.findings import error, warning
from core.cosmos.client import open_client
from core.cosmos.containers import container_definitions
from core.cosmos.requests import QUERY_TIMEOUT_SECONDS, collect, run_request
from core.errors import ConfigurationError, CosmosError
from core.tracking.leases import lease_prefix

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping

    from azure.cosmos.aio import DatabaseProxy

    from admin.doctor.findings import Finding
    from core.cosmos.containers import ContainerDefinition
    from core.settings import Connection, Settings

_PATIENCE = 10.0
_SKEW = 60.0
"""Seconds; after 15 minutes the service refuses every request that is signed with a key."""

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404


async def check_account(
    settings: Settings, modules: Iterable[str], clock: Callable[[], float] = time.time
) -> AsyncIterator[Finding]:
    """Connect as the app would, and look at what it needs; nothing is changed.

    Args:
        settings: With a connection.
        modules: Names of projection modules, which begin their leases' ids.
        clock: Seconds since 1970.
    """
    connection = settings.require_connection()
    reached = False
    async for each in _reach(connection, clock):
        reached = each.code == "clock-skew"
        yield each
        if not reached:
            return
    async with open_client(connection) as client:
        database = client.get_database_client(settings.database)
        async for each in _check_containers(database, settings, modules):
            yield each


async def _reach(connection: Connection, clock: Callable[[], float]) -> AsyncIterator[Finding]:
    timeout = aiohttp.ClientTimeout(total=_PATIENCE)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(connection.endpoint, ssl=connection.verify_certificate) as response,
        ):
            date = response.headers.get("Date")
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError, ValueError) as failure:
        yield error(
            "endpoint-unreachable",
            f"Nobody answers at {connection.endpoint} ({type(failure).__name__}).",
            "Check the endpoint's name, the account's firewall and, with private endpoints, the "
            "virtual network and its DNS.",
        )
        return
    skew = clock() - parsedate_to_datetime(date).timestamp() if date else 0.0
    if abs(skew) > _SKEW:
        yield error(
            "clock-skew",
            f"This clock differs from that of Cosmos DB by {abs(skew):.0f} s.",
            "Set the clock; requests signed with a wrong time are refused, and lag is misjudged.",
        )


async def _check_containers(
    database: DatabaseProxy, settings: Settings, modules: Iterable[str]
) -> AsyncIterator[Finding]:
    found: dict[str, Mapping[str, Any]] = {}
    for wanted in container_definitions(settings):
        try:
            reading = database.get_container_client(wanted.name).read()
            found[wanted.name] = await run_request(f"reading container {wanted.name}", reading)
        except CosmosError as failure:
            yield _unreadable(wanted.name, settings.database, failure)
            if not isinstance(failure, ConfigurationError) or failure.status != _NOT_FOUND:
                return
        else:
            for each in check_container(wanted, found[wanted.name]):
                yield each
    if settings.leases_container in found and settings.events_container in found:
        leases = database.get_container_client(settings.leases_container)
        ids = await run_request(
            "reading leases",
            collect(leases.query_items("SELECT VALUE c.id FROM c")),
            timeout_seconds=QUERY_TIMEOUT_SECONDS,
        )
        for each in check_prefixes(
            map(str, ids), modules, str(found[settings.events_container]["_rid"])
        ):
            yield each


def _unreadable(name: str, database: str, failure: CosmosError) -> Finding:
    if failure.status == _NOT_FOUND:
        return error(
            "container-missing",
            f"Container {name} of database {database} does not exist.",
            "Create it with `python -m admin init`, which needs a key, or deploy infra/.",
        )
    if failure.status == _UNAUTHORIZED:
        return error(
            "key-refused",
            "Cosmos DB refuses the key, or the identity is none of its directory.",
            "Copy the key anew, or check CosmosConnection__clientId.",
        )
    if failure.status == _FORBIDDEN:
        return error(
            "role-missing",
            f"The identity may not read container {name}.",
            "Give it a data-plane role (sqlRoleAssignments); the roles of the portal's access "
            "control do not count. The account's firewall answers in the same way.",
        )
    return error(
        "container-unreadable", str(failure), "Try again; then ask for help with this text."
    )


def check_container(wanted: ContainerDefinition, found: Mapping[str, Any]) -> Iterator[Finding]:
    """A container that is not as it must be; pure."""
    paths = found.get("partitionKey", {}).get("paths")
    if paths != [wanted.partition_key]:
        yield error(
            "partition-key",
            f"Container {wanted.name} has the partition key {paths}, not {wanted.partition_key}.",
            "It cannot be changed: create the container anew, under this or another name.",
        )
    yield from _check_ttl(wanted, found.get("defaultTtl"))
    yield from _check_index(wanted, found.get("indexingPolicy") or {})


def _check_ttl(wanted: ContainerDefinition, ttl: int | None) -> Iterator[Finding]:
    if wanted.default_ttl is not None and ttl is None:
        yield error(
            "ttl-off",
            f"Container {wanted.name} has no TTL, so the trigger's start-up lock never expires.",
            "Switch its TTL on, without a default (-1).",
        )
    elif ttl is not None and ttl > 0:
        yield error(
            "ttl-deletes",
            f"Container {wanted.name} deletes what is older than {ttl} s, read or not.",
            "Switch its TTL off." if wanted.default_ttl is None else "Set its TTL to -1.",
        )


def _check_index(wanted: ContainerDefinition, policy: Mapping[str, Any]) -> Iterator[Finding]:
    included = {each["path"] for each in policy.get("includedPaths", ())}
    needed = {each["path"] for each in wanted.indexing_policy["includedPaths"]}
    if "/*" in included:
        yield warning(
            "index-costs",
            f"Container {wanted.name} indexes everything: each new item costs three fifths more.",
            f"Include {', '.join(sorted(needed)) or 'nothing'} and exclude /*.",
        )
    elif missing := sorted(needed - included):
        yield warning(
            "index-missing",
            f"Container {wanted.name} does not index {', '.join(missing)}: queries read all of it.",
            "Include these paths in its indexing policy.",
        )


def check_prefixes(
    lease_ids: Iterable[str], modules: Iterable[str], events_rid: str
) -> Iterator[Finding]:
    """Leases that begin as ours do and are of another container's events; pure.

    An id is `{prefix}{host}_{database rid}_{container rid}..{token}`.
    """
    stems = {stem for stem, dots, _ in (each.rpartition("..") for each in lease_ids) if dots}
    for module in sorted(modules):
        prefix = lease_prefix(module)
        ours = {each for each in stems if each.startswith(prefix)}
        if not all(each.endswith(f"_{events_rid}") for each in ours):
            yield error(
                "prefix-taken",
                f"Leases that begin with {prefix} are there already, of another events container.",
                "Give each app a lease container of its own (LeasesContainer); if the events "
                "container was created anew, delete the leases of the old one.",
            )
