"""The wait before a request is retried."""

from __future__ import annotations

INITIAL_BACKOFF_SECONDS = 0.05
"""The wait before the second attempt, without a retry-after."""

MAX_BACKOFF_SECONDS = 10.0
"""The longest wait without a retry-after."""


def backoff(attempt: int, *, retry_after: float | None, jitter: float) -> float:
    """Return the seconds to wait after a failed attempt.

    A retry-after is obeyed as it is. Without one the wait doubles from `INITIAL_BACKOFF_SECONDS` to
    `MAX_BACKOFF_SECONDS`. The jitter then takes off up to half of it, so that writers that failed
    at the same time do not retry at the same time.

    Args:
        attempt: The number of the failed attempt, from 1.
        retry_after: The seconds that the service specified (`x-ms-retry-after-ms`).
        jitter: A random number in [0, 1).
    """
    if retry_after is not None:
        return max(retry_after, 0.0)
    doubled = INITIAL_BACKOFF_SECONDS * 2.0 ** min(attempt - 1, 16)
    return min(doubled, MAX_BACKOFF_SECONDS) * (1 - jitter / 2)
