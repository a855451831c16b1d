"""The beliefs, by subject; importing this package registers all of them."""

from local.conformance.beliefs import (
    account,
    batches,
    bulk,
    charges,
    expiry,
    feed,
    items,
    partitions,
    queries,
    roles,
    sessions,
    throttling,
)
from local.conformance.checks import REGISTERED

CHECKS = tuple(REGISTERED)

__all__ = (
    "CHECKS",
    "account",
    "batches",
    "bulk",
    "charges",
    "expiry",
    "feed",
    "items",
    "partitions",
    "queries",
    "roles",
    "sessions",
    "throttling",
)
