"""The cache of failed runs."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.projecting.batch_run import BatchRun

_MAX_RUNS, _MAX_BYTES = 64, 64 * 1024 * 1024
"""The failed runs that are kept, and the memory that all of them together may take."""

_BYTES_PER_WRITE = 500
"""The memory of a write besides its document: its ids, its keys and its places in tables."""

_BYTES_PER_SOURCE_BYTE = 4
"""The memory of a document in the batch, as objects, for each byte of its JSON."""


class _FailedRun(NamedTuple):
    """A run, and the memory that it takes."""

    run: BatchRun
    size: int


class BatchRunCache:
    """The runs of batches that failed, so that the retry in this process continues them.

    What was acknowledged is then not sent again; a document that is written again, even unchanged,
    reappears in the change feed.
    """

    def __init__(self) -> None:
        self._runs: OrderedDict[object, _FailedRun] = OrderedDict()

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self._runs)

    def pop(self, batch: object) -> BatchRun | None:
        """Remove and return the run of a batch, None if there is none."""
        failed = self._runs.pop(batch, None)
        return failed.run if failed else None

    def put(self, batch: object, run: BatchRun, documents: Sequence[Mapping[str, Any]]) -> None:
        """Keep a run for its retry, and drop the oldest ones if they take too much memory.

        Args:
            batch: The key of the batch.
            run: The run.
            documents: The documents of the batch, which the run refers to.
        """
        run.prepare_retry()
        writes, size = run.held
        size += writes * _BYTES_PER_WRITE + _BYTES_PER_SOURCE_BYTE * len(json.dumps(documents))
        self._runs[batch] = _FailedRun(run, size)
        while len(self._runs) > 1 and self._is_full:
            self._runs.popitem(last=False)

    @property
    def _is_full(self) -> bool:
        size = sum(failed.size for failed in self._runs.values())
        return len(self._runs) > _MAX_RUNS or size > _MAX_BYTES
