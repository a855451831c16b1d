"""Writes one stream in transactional batches."""

from __future__ import annotations

from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from core.cosmos.batches import GONE, send_transactional
from core.errors import RejectedByCosmosError, TransientError
from core.writing.plan import count_fitting
from core.writing.writes import Rejected, Written, is_to_blame

if TYPE_CHECKING:
    from core.writing.call import WriteCall
    from core.writing.plan import Stream
    from core.writing.writes import Write


class StreamWriter:
    """Writes a stream batch by batch, so that its order is kept whatever fails.

    Args:
        call: What the requests of the call share.
        stream: The writes of the stream.

    Attributes:
        rejected: The number of writes that were rejected.
    """

    def __init__(self, call: WriteCall, stream: Stream) -> None:
        self.rejected = 0
        self._call = call
        self._stream = stream
        self._limiters = call.limiters.for_projections(write.cause.projection for write in stream)

    async def write(self) -> None:
        """Return when every write is acknowledged or rejected.

        The writes of a batch that is rejected are sent again individually, because its error does
        not tell which of them is to blame.

        Raises:
            DeadlineExceededError: If the deadline is reached.
            CosmosError: If Cosmos DB returns an error that is not retryable.
        """
        individually = 0
        while self._stream:
            sent, error = await self._send_next(1 if individually else len(self._stream))
            if error is not None and len(sent) > 1:
                individually = len(sent)
                continue
            if error is None:
                self._call.results.put_nowait(Written(sent))
            elif is_to_blame(error):
                self.rejected += 1
                self._call.results.put_nowait(Rejected(sent[0], error))
            else:
                raise error
            individually = max(individually - 1, 0)
            for _ in sent:
                self._stream.popleft()

    async def _send_next(self, limit: int) -> tuple[list[Write], RejectedByCosmosError | None]:
        """Send the next writes, and return them with the error if they are rejected."""
        call = self._call
        partition = await call.partitions.locate(self._stream[0].stream_id, call.deadline)
        attempt = partial(self._attempt, partition.start, limit)
        return await call.retrier.run(attempt, call.deadline, call.stats)

    async def _attempt(
        self, partition: str, limit: int
    ) -> tuple[list[Write], RejectedByCosmosError | None]:
        call = self._call
        async with call.limiters.background_attempt(
            partition, limit, call.deadline, call.stats, self._limiters
        ) as attempt:
            count = count_fitting(self._stream, attempt.max_operations)
            sent = list(islice(self._stream, count))
            try:
                async with call.deadline.hold(call.slots):
                    await send_transactional(
                        call.container, sent[0].stream_id, sent, attempt.record_charge
                    )
            except RejectedByCosmosError as error:
                return sent, error
            except TransientError as error:
                if error.status == GONE:
                    await call.partitions.refresh(call.deadline)
                raise
        return sent, None
