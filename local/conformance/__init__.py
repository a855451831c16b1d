"""Checks of every assumption about Cosmos DB that the engine makes, run against an account."""
