"""An embedded Cosmos DB: the REST protocol of the service, for the real SDKs, on one machine."""

from local.cosmos.server import WELL_KNOWN_KEY, EmbeddedCosmos, Options

__all__ = ["WELL_KNOWN_KEY", "EmbeddedCosmos", "Options"]
