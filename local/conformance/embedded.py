"""An embedded Cosmos DB to check, with a key for each role of the app in Azure."""

from __future__ import annotations

import base64
import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from local.conformance.workspace import Target
from local.cosmos import WELL_KNOWN_KEY, CosmosOptions, EmbeddedCosmos, Role

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_ROLES = Path(__file__).parents[2] / "infra" / "roles.json"
_PARTITIONS = 4


@asynccontextmanager
async def embedded_target(replica_lag: float = 0.0) -> AsyncIterator[Target]:
    """Start an embedded Cosmos DB, and stop it afterwards.

    Args:
        replica_lag: The lag of reads without a session token, in seconds.
    """
    keys = {name: base64.b64encode(name.encode()).decode() for name in _definitions()}
    options = CosmosOptions(
        port=0,
        partitions=_PARTITIONS,
        replica_lag=replica_lag,
        roles={keys[name]: [Role(tuple(actions))] for name, actions in _definitions().items()},
    )
    async with EmbeddedCosmos(options) as server:
        yield Target(endpoint=server.endpoint, key=WELL_KNOWN_KEY, credentials=keys)


def _definitions() -> dict[str, list[str]]:
    """Return the data actions of each role definition."""
    definitions: dict[str, list[str]] = json.loads(_ROLES.read_text(encoding="utf-8"))
    return definitions
