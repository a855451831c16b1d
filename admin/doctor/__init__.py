"""Checks of a deployment: its settings, its host.json and its Cosmos DB account."""
