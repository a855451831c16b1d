"""Writes documents to Cosmos DB and returns the result of each write."""
