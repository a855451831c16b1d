"""The cache of failed runs."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.projecting.batch_run import BatchRun

_MAX_RUNS, _MAX_WRITES, _MAX_BYTES = 64, 100_000, 64 * 1024 * 1024
"""The failed runs that are kept, and the writes and bytes that all of them together may hold."""


class BatchRunCache:
    """The runs of batches that failed, so that the retry in this process continues them.

    What was acknowledged is then not sent again; a document that is written again, even unchanged,
    reappears in the change feed.
    """

    def __init__(self) -> None:
        self._runs: OrderedDict[object, BatchRun] = OrderedDict()

    def pop(self, batch: object) -> BatchRun | None:
        """Remove and return the run of a batch, None if there is none."""
        return self._runs.pop(batch, None)

    def put(self, batch: object, run: BatchRun) -> None:
        """Keep a run for its retry, and drop the oldest ones if there are too many."""
        run.prepare_retry()
        self._runs[batch] = run
        while len(self._runs) > 1 and self._is_full:
            self._runs.popitem(last=False)

    @property
    def _is_full(self) -> bool:
        held = [run.held for run in self._runs.values()]
        writes, size = sum(count for count, _ in held), sum(size for _, size in held)
        return len(held) > _MAX_RUNS or writes > _MAX_WRITES or size > _MAX_BYTES
