"""Dead letters: events that no attempt can project, parked durably so that the rest goes on."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from core.cosmos import LONGEST_REQUEST, cosmos_errors
from core.errors import ConflictError
from core.events import utc_text
from core.ids import dead_letter_id
from core.retrying import Effort, Retrier

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azure.cosmos.aio import ContainerProxy

    from core.budget import Budget
    from core.derivation import Poison
    from core.events import Document


def dead_letter(poison: Poison, *, parked: datetime) -> Document:
    """The document of a dead letter: a reference to the event and the reason, never its data."""
    return {
        "id": dead_letter_id(
            module=poison.module,
            projection=poison.projection,
            source_stream=poison.stream_id,
            source_id=poison.event_id,
        ),
        "module": poison.module,
        "projection": poison.projection,
        "streamId": poison.stream_id,
        "eventId": poison.event_id,
        "errorType": poison.error_type,
        "reason": poison.reason,
        "traceback": poison.traceback,
        "parked": utc_text(parked),
    }


@dataclass(frozen=True, kw_only=True)
class DeadLetters:
    """The container of dead letters, partitioned by projection module.

    Attributes:
        container: The dead letters' container.
        retrier: Tries again.
    """

    container: ContainerProxy
    retrier: Retrier

    async def park(self, poison: Sequence[Poison], budget: Budget) -> None:
        """Return when every one is durable; parking one again keeps the first.

        Raises:
            BudgetSpentError: Time ran out.
            CosmosError: Retrying cannot help.
        """
        now = datetime.now(timezone.utc)
        for each in poison:
            await self._create(dead_letter(each, parked=now), budget)

    async def of_event(self, module: str, stream_id: str, event_id: str) -> list[dict[str, Any]]:
        """The dead letters of one event in one module.

        Raises:
            CosmosError: They cannot be read.
        """
        with cosmos_errors(f"reading the dead letters of event {event_id}"):
            items = self.container.query_items(
                "SELECT * FROM c WHERE c.streamId = @stream AND c.eventId = @event",
                parameters=[
                    {"name": "@stream", "value": stream_id},
                    {"name": "@event", "value": event_id},
                ],
                partition_key=module,
            )
            return [item async for item in items]

    async def _create(self, document: Document, budget: Budget) -> None:
        async def create() -> None:
            with cosmos_errors(f"parking event {document['eventId']}"):
                await asyncio.wait_for(self.container.create_item(document), LONGEST_REQUEST)

        try:
            await self.retrier.run(create, partition="dead letters", budget=budget, effort=Effort())
        except ConflictError:
            return
