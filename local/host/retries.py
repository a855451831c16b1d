"""How long the host waits before it repeats a failed invocation; pure.

Source: `RandomizedExponentialBackoffStrategy` and the retry loop of the WebJobs SDK.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.host.bindings import RetryPolicy


def delay(policy: RetryPolicy, failures: int, random: float) -> float | None:
    """Seconds until the next attempt; None when there is to be none.

    Args:
        policy: As declared.
        failures: Failed attempts so far, counted from 1.
        random: In [0, 1); spreads the exponential delays by a fifth to either side.
    """
    if 0 <= policy.count < failures:
        return None
    if not policy.exponential or failures == 1:
        return policy.minimum
    grown = policy.minimum * 2.0 ** min(failures - 2, 60) * (0.8 + 0.4 * random)
    return min(policy.minimum + grown, policy.maximum)
