"""Makes planned writes durable: many streams at once, each in order, at the pace Cosmos takes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.cosmos import LONGEST_REQUEST, charge_of, cosmos_errors
from core.errors import TransientError
from core.retrying import Effort, Retrier, most_telling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from azure.cosmos.aio import ContainerProxy

    from core.batching import Batch
    from core.budget import Budget
    from core.partitions import PartitionMap

_GONE = 410


@dataclass(frozen=True, kw_only=True)
class Writer:
    """Upserts batches into the events container.

    Attributes:
        container: The events container.
        partitions: Where streams lie, so that a throttled partition holds up only its own.
        retrier: Tries again.
        slots: The limit on requests in flight, shared by all invocations of the process; a batch
            that waits for its partition holds none.
    """

    container: ContainerProxy
    partitions: PartitionMap
    retrier: Retrier
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(32))

    async def write(
        self,
        plan: Iterable[list[Batch]],
        *,
        budget: Budget,
        effort: Effort,
        on_durable: Callable[[Batch], None],
    ) -> None:
        """Return when every batch is durable.

        Each list of batches is written in its order, the lists side by side. `on_durable` is
        called for a batch as soon as it was acknowledged, also when another one fails later.

        Raises:
            BudgetSpentError: Time ran out; what was not acknowledged must be written again.
            CosmosError: Retrying cannot help.
        """
        results = await asyncio.gather(
            *(self._write_stream(batches, budget, effort, on_durable) for batches in plan),
            return_exceptions=True,
        )
        errors = [result for result in results if result is not None]
        if errors:
            raise most_telling(errors)

    async def _write_stream(
        self,
        batches: list[Batch],
        budget: Budget,
        effort: Effort,
        on_durable: Callable[[Batch], None],
    ) -> None:
        for batch in batches:
            await self.retrier.run(
                lambda batch=batch: self._send(batch, effort),  # type: ignore[misc] # mypy cannot infer a lambda's default
                partition=await self.partitions.locate(batch.stream_id),
                budget=budget,
                effort=effort,
            )
            on_durable(batch)

    async def _send(self, batch: Batch, effort: Effort) -> None:
        def note_charge(headers: Mapping[str, Any], _: object) -> None:
            effort.charge += charge_of(headers)

        doing = f"writing {len(batch.writes)} events into stream {batch.stream_id}"
        try:
            async with self.slots:
                with cosmos_errors(doing):
                    await asyncio.wait_for(
                        self.container.execute_item_batch(
                            [("upsert", (write.document,)) for write in batch.writes],
                            batch.stream_id,
                            response_hook=note_charge,
                        ),
                        LONGEST_REQUEST,
                    )
        except TransientError as error:
            if error.status == _GONE:
                await self.partitions.refresh()
            raise
