"""Projects the batches of the change feed."""
