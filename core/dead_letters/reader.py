"""Reads dead letters: single ones, pages of them, and the first ones of streams."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from core.dead_letters import queries
from core.dead_letters.dead_letter import DeadLetter, DeadLetterSummary
from core.errors import InvalidRequestError, RejectedByCosmosError, UnknownResourceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from core.cosmos.container import Container, Query
    from core.dead_letters.queries import DeadLetterFilter
    from core.model.documents import Document
    from core.model.registry import ProjectionModule
    from core.throttling.deadline import Deadline

MAX_PAGE_SIZE = 200
"""The dead letters of a page."""

_READING = "reading dead letters"
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")


class Page(NamedTuple):
    """A part of a list; `next` is the continuation after it, None at the end."""

    dead_letters: list[DeadLetterSummary]
    next: str | None


@dataclass(frozen=True, kw_only=True)
class DeadLetterReader:
    """Reads dead letters.

    Every method raises DeadlineExceededError if the deadline is reached, and CosmosError if Cosmos
    DB returns an error that is not retryable.

    Attributes:
        container: The container of dead letters.
    """

    container: Container

    async def get(self, dead_letter_id: str, deadline: Deadline) -> DeadLetter:
        """Return a dead letter.

        Raises:
            UnknownResourceError: If it does not exist.
        """
        stored = await self._read(dead_letter_id, deadline)
        if stored is None:
            raise unknown_dead_letter(dead_letter_id)
        return stored

    async def page(
        self, selection: DeadLetterFilter, deadline: Deadline, *, after: str | None, limit: int
    ) -> Page:
        """Return up to `limit` dead letters after a continuation, the oldest of them first.

        Raises:
            InvalidRequestError: If the continuation is not one.
        """
        query = queries.listing(selection)
        try:
            documents, following = await self.container.page(
                _READING, query, deadline, after=after, limit=limit
            )
        except RejectedByCosmosError as error:
            if after is None:
                raise
            raise invalid_continuation() from error
        return Page(_oldest_first(documents), following)

    async def blocking(self, deadline: Deadline, *, limit: int) -> list[DeadLetterSummary]:
        """Return up to `limit` dead letters that block leases."""
        rows, _ = await self.container.page(
            _READING, queries.blocking(None), deadline, after=None, limit=limit
        )
        return _oldest_first(rows)

    async def blocking_of(self, module: str, deadline: Deadline) -> AsyncIterator[DeadLetter]:
        """Yield what is needed to change the dead letters that block the leases of a module."""
        await self.container.catch_up(_READING, deadline)
        query, after = queries.blocking(module), None
        while True:
            rows, after = await self.container.page(
                _READING, query, deadline, after=after, limit=MAX_PAGE_SIZE
            )
            for row in rows:
                yield DeadLetter.from_document(row)
            if after is None:
                return

    async def for_event(
        self, module: str, stream_id: str, event_id: str, deadline: Deadline
    ) -> list[DeadLetter]:
        """Return the dead letters of an event in a module, whichever process has stored them."""
        await self.container.catch_up(_READING, deadline)
        rows = await self._query(queries.of_event(module, stream_id, event_id), deadline)
        return [DeadLetter.from_document(row) for row in rows]

    async def parked_orders(
        self, module: ProjectionModule, stream_ids: Iterable[object], deadline: Deadline
    ) -> list[tuple[str, str, str]]:
        """Return the order of the first dead letter of each of these streams that has one.

        Only the projections that park streams have an order, so for each of them it is the
        projection, the stream and the order.
        """
        await self.container.catch_up(_READING, deadline)
        rows, _ = await self.container.page(
            _READING, queries.any_open(module.name), deadline, after=None, limit=1
        )
        if not rows:
            return []
        query = queries.open_streams(
            module.name, [one for one in stream_ids if isinstance(one, str)]
        )
        orders = []
        for row in await self._query(query, deadline):
            for projection in module.stream_parking_projections:
                first = await self.first_of_stream(
                    module.name, [projection], row["streamId"], deadline
                )
                if first is not None:
                    orders.append((projection, row["streamId"], first.stream_order))
        return orders

    async def first_of_stream(
        self, module: str, projections: Sequence[str], stream_id: object, deadline: Deadline
    ) -> DeadLetter | None:
        """Return id and order of the first dead letter of a stream that is not discarded.

        It is one of these projections, or of an event that cannot be read.
        """
        query = queries.first_of_stream(module, projections, stream_id)
        rows = await self._query(query, deadline)
        return DeadLetter.from_document(rows[0]) if rows else None

    async def _query(self, query: Query, deadline: Deadline) -> list[Document]:
        return await self.container.query(_READING, query.text, query.parameters, deadline)

    async def _read(self, dead_letter_id: str, deadline: Deadline) -> DeadLetter | None:
        if not _ID.match(dead_letter_id):
            return None
        document = await self.container.read(_READING, dead_letter_id, dead_letter_id, deadline)
        return None if document is None else DeadLetter.from_document(document)


def _oldest_first(documents: Iterable[Document]) -> list[DeadLetterSummary]:
    dead_letters = map(DeadLetterSummary.from_document, documents)
    return sorted(dead_letters, key=lambda dead_letter: dead_letter.first_failed_at)


def invalid_continuation() -> InvalidRequestError:
    """Return the error for a continuation that no page has."""
    return InvalidRequestError.for_field("after", "Pass what `next` was in the previous answer.")


def invalid_limit(limit: object) -> InvalidRequestError:
    """Return the error for a number of dead letters that no page can have."""
    detail = f"Pass a number from 1 to {MAX_PAGE_SIZE}, got {limit!r:.50}."
    return InvalidRequestError.for_field("limit", detail)


def unknown_dead_letter(dead_letter_id: str) -> UnknownResourceError:
    """Return the error for an id that no dead letter has."""
    return UnknownResourceError(f"There is no dead letter {dead_letter_id!r:.100}.")
