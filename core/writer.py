"""Makes planned writes durable: many streams at once, each in order, at the pace Cosmos takes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.batching import Batch
from core.cosmos import answered, charge_of
from core.errors import RefusedByCosmosError, TransientError
from core.retrying import Effort, Retrier, most_telling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from azure.cosmos.aio import ContainerProxy

    from core.budget import Budget
    from core.outputs import Write
    from core.partitions import PartitionMap

_GONE = 410
_UNACCEPTABLE = (400, 413)
"""What the documents themselves are to blame for: malformed or too large."""


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
        on_refused: Callable[[Write, RefusedByCosmosError], None],
    ) -> None:
        """Return when every batch is durable.

        Each list of batches is written in its order, the lists side by side. `on_durable` is
        called for a batch as soon as it was acknowledged, also when another one fails later. Of
        a batch that Cosmos DB will never accept each write is sent by itself, and `on_refused`
        is called for those that are to blame.

        Raises:
            BudgetSpentError: Time ran out; what was not acknowledged must be written again.
            CosmosError: Retrying cannot help.
        """
        delivery = _Delivery(self, budget, effort, on_durable, on_refused)
        results = await asyncio.gather(*map(delivery.in_order, plan), return_exceptions=True)
        errors = [result for result in results if result is not None]
        if errors:
            raise most_telling(errors)

    async def until_taken(self, batch: Batch, budget: Budget, effort: Effort) -> None:
        """Send one batch until Cosmos DB has it.

        Raises:
            BudgetSpentError, CosmosError: As `write`.
        """
        await self.retrier.run(
            lambda: self._send(batch, effort),
            partition=await self.partitions.locate(batch.stream_id, budget),
            budget=budget,
            effort=effort,
        )

    async def _send(self, batch: Batch, effort: Effort) -> None:
        def note_charge(headers: Mapping[str, Any], _: object) -> None:
            effort.charge += charge_of(headers)

        try:
            async with self.slots:
                await answered(
                    f"writing {len(batch.writes)} events into stream {batch.stream_id}",
                    self.container.execute_item_batch(
                        [("upsert", (write.document,)) for write in batch.writes],
                        batch.stream_id,
                        response_hook=note_charge,
                    ),
                )
        except TransientError as error:
            if error.status == _GONE:
                await self.partitions.refresh()
            raise


@dataclass(frozen=True)
class _Delivery:
    """One call of `write`."""

    writer: Writer
    budget: Budget
    effort: Effort
    on_durable: Callable[[Batch], None]
    on_refused: Callable[[Write, RefusedByCosmosError], None]

    async def in_order(self, batches: list[Batch]) -> None:
        for batch in batches:
            await self._deliver(batch)

    async def _deliver(self, batch: Batch) -> None:
        try:
            await self.writer.until_taken(batch, self.budget, self.effort)
        except RefusedByCosmosError as error:
            if error.status not in _UNACCEPTABLE:
                raise
            await self._find_refused(batch, error)
        else:
            self.on_durable(batch)

    async def _find_refused(self, batch: Batch, error: RefusedByCosmosError) -> None:
        if len(batch.writes) == 1:
            self.on_refused(batch.writes[0], error)
            return
        for write in batch.writes:
            await self._deliver(Batch(stream_id=batch.stream_id, writes=(write,)))
