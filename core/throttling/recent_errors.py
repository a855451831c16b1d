"""What went wrong with the requests of the last minutes, for health."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING

from core.errors import CosmosError, ThrottledError

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS = 300.0
_MAX_ERRORS = 1_000
_MIN_THROTTLED = 10
_THROTTLED_SHARE = 0.05
"""The share of throttled requests that is too large; a few of them show how much is possible."""

_NO_ROOM = frozenset({(403, 1010), (403, 1014)})
"""The statuses and sub-statuses of a shared database and of a logical partition that are full.

Source: the sub-status codes of the .NET SDK (`SharedThroughputDatabaseQuotaExceeded`,
`PartitionKeyQuotaOverLimit`).
"""


class RecentErrors:
    """Counts errors of the last five minutes by the code of what they show.

    Args:
        clock: The seconds of a monotonic clock.

    Attributes:
        requests: The number of all requests so far, which the sender of each one increments.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.requests = 0
        self._clock = clock
        self._throttled: deque[tuple[float, int]] = deque(maxlen=_MAX_ERRORS)
        self._no_room: deque[float] = deque(maxlen=_MAX_ERRORS)

    def record(self, error: CosmosError) -> None:
        """Count an error of a request."""
        if isinstance(error, ThrottledError):
            self._throttled.append((self._clock(), self.requests))
        elif (error.status, error.sub_status) in _NO_ROOM:
            self._no_room.append(self._clock())

    def counts(self) -> dict[str, int]:
        """Return the number of recent errors by code, of those that matter."""
        since = self._clock() - _SECONDS
        throttled = [number for time, number in self._throttled if time > since]
        no_room = sum(time > since for time in self._no_room)
        counts = {"no-room": no_room} if no_room else {}
        if len(throttled) >= _MIN_THROTTLED:
            requests = self.requests - throttled[0] + 1
            if len(throttled) > _THROTTLED_SHARE * requests:
                counts["throttled"] = len(throttled)
        return counts
