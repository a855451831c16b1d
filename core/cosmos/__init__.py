"""The edge to Cosmos DB: the only place that knows its SDK."""
