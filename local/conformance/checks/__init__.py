"""The checks by subject, which are registered by importing this package."""

from local.conformance.check import REGISTERED
from local.conformance.checks import (
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
