"""One call for writes: what they may take, and who is told what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from core.errors import RejectedByCosmosError
    from core.throttling.deadline import Deadline
    from core.throttling.stats import RequestStats
    from core.writing.writes import Write

_UNACCEPTABLE = (400, 403, 413)
"""What the documents themselves are to blame for: malformed, for a stream that is full, or too
large. Of 403 no other is a refusal."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What goes with every request of one call.

    Attributes:
        deadline: Time that it may take.
        stats: What it took.
        on_durable: Told of writes that were acknowledged, as soon as they are.
        on_refused: Told of a write that Cosmos DB will never accept.
    """

    deadline: Deadline
    stats: RequestStats
    on_durable: Callable[[Sequence[Write]], None]
    on_refused: Callable[[Write, RejectedByCosmosError], None]

    def blames(self, write: Write, error: RejectedByCosmosError) -> bool:
        """Tell of a write that was refused by itself, if it is to blame for that; whether it is."""
        if error.status not in _UNACCEPTABLE:
            return False
        self.on_refused(write, error)
        return True
