"""Your machine: an embedded Cosmos DB and a Functions host; never deployed."""
