"""A meter of requests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(kw_only=True)
class RequestStats:
    """The requests of one piece of work, counted as they are sent; no decision depends on it.

    Attributes:
        module: The projection module on whose behalf they are sent, for telemetry.
        requests: The number of requests, including those that failed.
        throttled_requests: The number of requests that Cosmos DB throttled.
        wait_seconds: The seconds waited for rate limiters and after throttling, over all requests.
        request_charge: The request units.
    """

    module: str = ""
    requests: int = 0
    throttled_requests: int = 0
    wait_seconds: float = 0.0
    request_charge: float = 0.0
