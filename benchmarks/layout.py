"""`python -m benchmarks layout`: what a derived event costs to store, by what is indexed."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from azure.cosmos import PartitionKey

from benchmarks.cosmos import account
from benchmarks.output import JsonOption, save, show
from benchmarks.peers import write
from benchmarks.workloads import derived, spread
from core.cosmos.containers import container_definitions
from core.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from azure.cosmos.aio import DatabaseProxy

    from core.writing.writes import Write

_EVERYTHING = {
    "indexingMode": "consistent",
    "includedPaths": [{"path": "/*"}],
    "excludedPaths": [{"path": '/"_etag"/?'}],
}
"""What a container gets that is created without a policy (Indexing policies in Azure Cosmos DB)."""


def layout(
    documents: Annotated[int, typer.Option(min=100, help="Derived events.")] = 2_000,
    json_file: JsonOption = None,
) -> None:
    """Store derived events, and store them again, with our indexing policy and with the default.

    Request units are those of the embedded Cosmos DB, whose model is written down in
    local/cosmos/charges.py.
    """
    writes = derived(spread(documents))
    rows = asyncio.run(_measure(writes))
    show(f"A derived event of {_bytes(writes)} bytes, of which {_payload(writes)} are data", rows)
    save(rows, json_file)


async def _measure(writes: Sequence[Write]) -> list[dict[str, Any]]:
    async with account() as (environ, database):
        ours = container_definitions(Settings.from_environ(environ))[0]
        policies = {"only the partition key": ours.indexing_policy, "everything": _EVERYTHING}
        return [
            await _row(name, database, ours.partition_key, policy, writes)
            for name, policy in policies.items()
        ]


async def _row(
    name: str,
    database: DatabaseProxy,
    key: str,
    policy: Mapping[str, Any],
    writes: Sequence[Write],
) -> dict[str, Any]:
    container = await database.create_container(
        name.replace(" ", "-"), PartitionKey(key), indexing_policy=dict(policy)
    )
    first, again = [(await write(container, writes)).request_charge / len(writes) for _ in range(2)]
    return {
        "run": f"indexed: {name}",
        "request_units": round(first, 2),
        "written_again": round(again, 2),
    }


def _bytes(writes: Sequence[Write]) -> int:
    return round(sum(len(write.body) for write in writes) / len(writes))


def _payload(writes: Sequence[Write]) -> int:
    data = (json.loads(write.body)["data"] for write in writes)
    return round(sum(len(json.dumps(fields)) for fields in data) / len(writes))
