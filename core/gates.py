"""When writing to a physical partition may go on."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Gates:
    """One gate for each physical partition; a 429 closes it for everybody who writes there.

    Shared by all invocations of the process, since the service's budget is shared as well.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._opens: dict[str, float] = {}

    def close(self, partition: str, seconds: float) -> None:
        """Keep the partition's gate closed for so long from now; never shortens a wait."""
        opens = self._clock() + seconds
        self._opens[partition] = max(opens, self._opens.get(partition, 0.0))

    def wait(self, partition: str) -> float:
        """Seconds until the gate is open; 0 when it is."""
        return max(self._opens.get(partition, 0.0) - self._clock(), 0.0)
