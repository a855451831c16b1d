"""The delay before the host retries a failed invocation.

Source: `RandomizedExponentialBackoffStrategy` and the retry loop of the WebJobs SDK.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.host.bindings import RetryPolicy


def next_delay(policy: RetryPolicy, failures: int, random: float) -> float | None:
    """Return the seconds until the next attempt, or None if no retries are left.

    Args:
        policy: The declared policy.
        failures: The number of failed attempts so far, at least 1.
        random: A random number in [0, 1) that varies exponential delays by up to 20%.
    """
    if 0 <= policy.max_retries < failures:
        return None
    if not policy.is_exponential or failures == 1:
        return policy.min_delay
    increase = policy.min_delay * 2.0 ** min(failures - 2, 60) * (0.8 + 0.4 * random)
    return min(policy.min_delay + increase, policy.max_delay)
