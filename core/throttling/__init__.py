"""When, how long and how often requests are sent; knows nothing of Cosmos DB."""
