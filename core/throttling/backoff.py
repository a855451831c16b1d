"""How long to wait before trying again, as arithmetic."""

from __future__ import annotations

INITIAL_BACKOFF_SECONDS = 0.05
"""Seconds before the second attempt, where the service gives no hint."""

MAX_BACKOFF_SECONDS = 10.0
"""Seconds that a wait without a hint never exceeds."""


def backoff(attempt: int, *, hint: float | None, jitter: float) -> float:
    """Seconds to wait after the given failed attempt.

    The service's hint is obeyed. Without one the wait doubles from `INITIAL_BACKOFF_SECONDS` to
    `MAX_BACKOFF_SECONDS`, and `jitter` in [0, 1) takes off up to half, so that writers that failed
    together do not come back together.

    Args:
        attempt: Counts from 1.
        hint: Seconds the service asked for (`x-ms-retry-after-ms`).
        jitter: A random number in [0, 1).
    """
    if hint is not None:
        return max(hint, 0.0)
    doubled = INITIAL_BACKOFF_SECONDS * 2.0 ** min(attempt - 1, 16)
    return min(doubled, MAX_BACKOFF_SECONDS) * (1 - jitter / 2)
