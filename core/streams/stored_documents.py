"""The documents of a batch as they are stored, also where the host rewrites their dates."""

from __future__ import annotations

import asyncio
import logging
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.errors import TransientError
from core.model.documents import DATE_PARSING, MissingDocument
from core.model.times import is_canonical

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

    from core.model.registry import ProjectionModule
    from core.streams.reader import StreamReader
    from core.throttling.deadline import Deadline

    Document = Mapping[str, Any]

logger = logging.getLogger(__name__)

_RETRY_DELAYS = (0.1, 0.5, 1.0, 2.0, 4.0)
"""The seconds between reads of a document that a replica may not have yet."""

_MAX_CONCURRENT_READS = 32

_PLAIN_NAME = re.compile(r"(?!\d{4}-\d\d-\d\dT)[A-Za-z0-9._~:@+=-]{1,255}")
"""A name that no host rewrites, as it is not a date, and that a URL takes without escapes."""


@dataclass(kw_only=True)
class StoredDocuments:
    """Reads the documents of batches whose dates the host has rewritten.

    A host rewrites every string that it takes for a date, unless host.json forbids it: it cuts the
    zeros at the end of its fraction, among others. So one document whose time has them shows, for
    the process, that the host hands over what is stored. Without such a document, nothing shows
    what the host does, as other writers may store times without these zeros: the documents are
    read until a difference, or such a document, shows it.

    Attributes:
        reader: The reader of streams.
        sleep: The function that waits.
        dates_rewritten: Whether the host rewrites dates; None until it is known.
    """

    reader: StreamReader
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    dates_rewritten: bool | None = None
    _reads: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(_MAX_CONCURRENT_READS)
    )

    @property
    def conditions(self) -> dict[str, int]:
        """What is wrong with the documents that are handed over, by its code."""
        return {"dates-rewritten": 1} if self.dates_rewritten else {}

    async def restore(
        self, module: ProjectionModule, documents: Sequence[Document], deadline: Deadline
    ) -> list[Document]:
        """Return the documents as they are stored, a MissingDocument for one that is not found.

        Documents that the module does not project are returned as they are.

        Raises:
            DeadlineExceededError: If the deadline is reached.
            CosmosError: If Cosmos DB returns an error that is not retryable.
        """
        if self.dates_rewritten is None and any(map(_has_canonical_time, documents)):
            self.dates_rewritten = False
        if self.dates_rewritten is False:
            return list(documents)
        restored = await _gather(
            self._restore(document, deadline) if _is_read(module, document) else _as_it_is(document)
            for document in documents
        )
        if self.dates_rewritten is None and any(map(_is_rewritten, documents, restored)):
            self.dates_rewritten = True
            logger.warning(
                "trigger.dates_rewritten module=%s setting=%s", module.name, ".".join(DATE_PARSING)
            )
        return restored

    async def _restore(self, document: Document, deadline: Deadline) -> Document:
        """Return the version that was handed over, or one that replaced it and will follow."""
        stored = await self._read(document, deadline)
        for seconds in _RETRY_DELAYS:
            if stored is not None and _is_current(stored, document):
                return _with_transaction(stored, document)
            deadline.check("reading a document that a replica may not have yet", seconds)
            await self.sleep(seconds)
            stored = await self._read(document, deadline)
        if stored is None:
            return MissingDocument(document)
        if _age(stored) < _age(document):
            raise TransientError("Cosmos DB returned an older version of an event of the batch.")
        return _with_transaction(stored, document)

    async def _read(self, document: Document, deadline: Deadline) -> Document | None:
        stream_id, event_id = document["streamId"], document["id"]
        async with deadline.hold(self._reads):
            if _PLAIN_NAME.fullmatch(event_id):
                return await self.reader.get(stream_id, event_id, deadline)
            stream = await self.reader.read(stream_id, deadline)
        return next((one for one in stream if one.get("_rid") == document.get("_rid")), None)


def _has_canonical_time(document: Document) -> bool:
    time = document.get("time")
    return isinstance(time, str) and is_canonical(time)


def _is_read(module: ProjectionModule, document: Document) -> bool:
    """Return whether a document may be an event that the module projects.

    An event is in the stream of its entity, whose name is neither a date nor has odd characters.
    """
    stream_id, event_type = document.get("streamId"), document.get("type")
    return (
        isinstance(event_type, str)
        and event_type in module.projections_by_type
        and isinstance(document.get("id"), str)
        and isinstance(stream_id, str)
        and _PLAIN_NAME.fullmatch(stream_id) is not None
    )


def _is_current(stored: Document, document: Document) -> bool:
    """Return whether what was read is the version that was handed over, or a later one."""
    etag = document.get("_etag")
    return etag in (None, stored.get("_etag")) or _age(stored) > _age(document)


def _with_transaction(stored: Document, document: Document) -> Document:
    """Return what was read with the transaction of what was handed over, which no read has."""
    return {**stored, **{name: document[name] for name in ("_lsn",) if name in document}}


def _age(document: Document) -> int:
    """Return the second in which a version was written."""
    written = document.get("_ts")
    return written if isinstance(written, int) else 0


def _is_rewritten(document: Document, stored: Document) -> bool:
    """Return whether the same version of a document was handed over with other values."""
    return document.get("_etag") == stored.get("_etag") and any(
        document.get(name) != value for name, value in stored.items()
    )


async def _as_it_is(document: Document) -> Document:
    return document


async def _gather(reads: Iterable[Awaitable[Document]]) -> list[Document]:
    """Return the results of all reads; none goes on after the first error."""
    tasks = [asyncio.ensure_future(read) for read in reads]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
