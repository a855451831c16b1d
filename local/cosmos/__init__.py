"""An embedded Cosmos DB that serves the REST protocol to the real SDKs on one machine."""

from local.cosmos.permissions import Role
from local.cosmos.server import WELL_KNOWN_KEY, CosmosOptions, EmbeddedCosmos
from local.cosmos.threads import run_in_thread

__all__ = ["WELL_KNOWN_KEY", "CosmosOptions", "EmbeddedCosmos", "Role", "run_in_thread"]
