"""The progress of modules and of single events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import UnknownResourceError
from core.model.names import is_document_id
from core.services import HTTP_TIMEOUT_SECONDS
from core.throttling.deadline import Deadline

if TYPE_CHECKING:
    from core.model.registry import Registry
    from core.services import Services
    from core.tracking.status import EventStatus, ModuleStatus


@dataclass(frozen=True, kw_only=True)
class StatusOperations:
    """Returns what has been processed.

    Every method raises DeadlineExceededError if Cosmos DB does not respond in time, and CosmosError
    if it returns an error that is not retryable.

    Attributes:
        services: The objects over Cosmos DB.
        registry: The declarations of the application.
    """

    services: Services
    registry: Registry

    async def module_statuses(self) -> list[ModuleStatus]:
        """Return the status of each projection module, by name."""
        deadline = Deadline.after(HTTP_TIMEOUT_SECONDS)
        progress = await self.services.fan_out_progress.all(deadline)
        observation = await self.services.tracker.observe(sorted(self.registry.modules), deadline)
        return [
            status.model_copy(
                update={
                    "fan_outs": tuple(
                        one
                        for one in progress
                        if self.registry.modules[status.module].has_projection(one.projection)
                    )
                }
            )
            for status in observation.modules
        ]

    async def event_status(self, module: str, stream_id: str, event_id: str) -> EventStatus:
        """Return whether a module has processed an event, and why it is parked if it is.

        Raises:
            UnknownResourceError: If there is no such module or event.
        """
        self.registry.module(module)
        deadline = Deadline.after(HTTP_TIMEOUT_SECONDS)
        event = None
        if is_document_id(event_id):
            event = await self.services.reader.get(stream_id, event_id, deadline)
        if event is None:
            raise UnknownResourceError(f"There is no event {event_id!r} in stream {stream_id!r}.")
        status = await self.services.tracker.event_status(module, stream_id, event_id, deadline)
        dead_letters = await self.services.dead_letters.for_event(
            module, stream_id, event_id, deadline
        )
        reasons = tuple(dead_letter.reason for dead_letter in dead_letters)
        return status.model_copy(update={"dead_letter_reasons": reasons})
