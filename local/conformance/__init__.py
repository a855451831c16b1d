"""Every belief about Cosmos DB that the engine rests on, checked against an account."""
