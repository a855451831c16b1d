"""Pages of the results of a query in one physical partition, with continuation tokens."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from local.cosmos.errors import bad_request
from local.cosmos.jsontext import decode, encode
from local.cosmos.query import RowPosition, comparisons
from local.cosmos.query.values import is_number, sort_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from local.cosmos.query import Query
    from local.cosmos.query.values import SortKey
    from local.cosmos.replicas import View
    from local.cosmos.table import Condition, Item, Order, Scan

_MAX_BYTES = 4 * 1024 * 1024
_MAX_DOCUMENTS_READ = 20_000
"""The documents that a page of a streamed query reads at most, so that others need not wait."""
_MAX_TOKEN_CHARS = 6_000
"""The HTTP libraries of the SDKs accept header lines of up to 8 KB."""
_MAX_INTEGER = 2**53

_COLUMNS: Mapping[tuple[str | int, ...], Literal["id", "ts"]] = {("id",): "id", ("_ts",): "ts"}
"""The paths that the table has columns for, by which SQLite filters and sorts."""


@dataclass(frozen=True, kw_only=True)
class ContinuationToken:
    """The start of a page.

    Attributes:
        after: The position of the last row that was returned or skipped, None for the first page.
        skip: The number of rows still to skip (OFFSET).
        remaining: The number of rows still to return (TOP, LIMIT), None for all.
    """

    after: RowPosition | None
    skip: int
    remaining: int | None

    @property
    def text(self) -> str:
        """The token as text for a header.

        Raises:
            ServiceError: 400, if it is too long.
        """
        after = self.after and [[list(key) for key in self.after.keys], self.after.tie_breaker]
        text = json.dumps([after, self.skip, self.remaining], separators=(",", ":"))
        if len(text) > _MAX_TOKEN_CHARS:
            raise bad_request(
                "A page ends at a value that is too long for a continuation token: request larger "
                "pages (x-ms-max-item-count), or ORDER BY a shorter value."
            )
        return text


def parse_continuation_token(text: str) -> ContinuationToken:
    """Return the continuation token for a text.

    Raises:
        ServiceError: 400, if the text is not from this server.
    """
    try:
        after, skip, remaining = json.loads(text)
        position = after and RowPosition(tuple(map(_key, after[0])), after[1])
        return ContinuationToken(
            after=position,
            skip=int(skip),
            remaining=remaining if remaining is None else int(remaining),
        )
    except (ValueError, TypeError, KeyError):
        raise bad_request(f"The continuation token {text:.100} is not from this server.") from None


def _key(pair: list[Any]) -> SortKey:
    type_rank, value = pair
    if sort_key(value)[0] != type_rank and value != 0:
        raise ValueError(value)
    return type_rank, value


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page of results.

    Attributes:
        bodies: The results as JSON texts.
        documents_read: The number of documents that were read.
        bytes_read: The number of bytes that were read.
        next_token: The start of the next page, None if there is none.
    """

    bodies: list[str]
    documents_read: int
    bytes_read: int
    next_token: ContinuationToken | None


class _DocumentReader:
    """Reads documents for a page, and counts them."""

    def __init__(self, view: View, scan: Scan, default_ttl: int | None) -> None:
        self._view = view
        self._default_ttl = default_ttl
        self.scan = scan
        self.documents_read = 0
        self.bytes_read = 0
        self.last: Item | None = None
        self.is_exhausted = True

    def items(self, limit: int | None) -> Iterator[Item]:
        """Yield items, at most the given number of them."""
        for item in self.live_items():
            if self.documents_read == limit:
                self.is_exhausted = False
                return
            self.last = item
            self.documents_read += 1
            self.bytes_read += len(item.body)
            yield item

    def live_items(self) -> Iterator[Item]:
        """Yield the items that have not expired, without counting them as read."""
        now = time.time()
        for item in self._view.scan(self.scan):
            if not item.is_expired(self._default_ttl, now):
                yield item

    @property
    def position(self) -> RowPosition | None:
        """The position of the last item that was read, for rows in the order of the scan."""
        if self.last is None:
            return None
        value, number = self.scan.sort_key(self.last)
        return RowPosition(() if self.scan.order == "number" else (sort_key(value),), number)


class Pager:
    """Runs a query page by page.

    Args:
        query: The query.
        parameters: The values of its parameters.
        view: The items that the query sees.
        default_ttl: The time to live of the container.
    """

    def __init__(
        self,
        query: Query,
        parameters: Mapping[str, Any],
        view: View,
        default_ttl: int | None,
    ) -> None:
        self._query = query
        self._parameters = parameters
        self._view = view
        self._default_ttl = default_ttl
        order = query.tree.order
        self._sorted_by = _COLUMNS.get(order[0].path.steps) if len(order) == 1 else None
        self._is_streamed = query.is_streamed or (
            self._sorted_by is not None and not query.is_reduced
        )

    def page(self, scan: Scan, token: str | None, limit: int) -> Page:
        """Return a page.

        Args:
            scan: The part of the partition that the query runs on.
            token: The start of the page, None for the first page.
            limit: The maximum number of results.

        Raises:
            QueryError: If a parameter is missing, or TOP, OFFSET or LIMIT is not a number.
            ServiceError: 400, if the token is not from this server.
        """
        window = self._query.window(self._parameters)
        start = ContinuationToken(after=None, skip=window.skip, remaining=window.remaining)
        if token is not None:
            start = parse_continuation_token(token)
            self._check(start)
        reader = _DocumentReader(self._view, self._narrow(scan, start), self._default_ttl)
        bodies, next_token = self._read_page(reader, start, limit)
        return Page(
            bodies=bodies,
            documents_read=reader.documents_read,
            bytes_read=reader.bytes_read,
            next_token=next_token,
        )

    def _check(self, token: ContinuationToken) -> None:
        position, query = token.after, self._query
        if position is not None and (
            len(position.keys) != len(query.tree.order)
            or isinstance(position.tie_breaker, str) != query.is_distinct
        ):
            raise bad_request("The continuation token belongs to another query.")

    def _read_page(
        self, reader: _DocumentReader, start: ContinuationToken, limit: int
    ) -> tuple[list[str], ContinuationToken | None]:
        bodies: list[str] = []
        size, token = 0, start
        if token.remaining == 0:
            return [], None
        for position, body in self._rows(reader, start.after):
            if token.skip:
                token = ContinuationToken(
                    after=position, skip=token.skip - 1, remaining=token.remaining
                )
                continue
            if len(bodies) >= limit or size >= _MAX_BYTES:
                return bodies, token
            bodies.append(body)
            size += len(body)
            remaining = None if token.remaining is None else token.remaining - 1
            token = ContinuationToken(after=position, skip=0, remaining=remaining)
            if remaining == 0:
                return bodies, None
        return bodies, None if reader.is_exhausted else replace(token, after=reader.position)

    def _rows(
        self, reader: _DocumentReader, after: RowPosition | None
    ) -> Iterable[tuple[RowPosition | None, str]]:
        """Yield the positions of the results, and the results as JSON texts."""
        if self._query.is_plain:
            return ((reader.position, item.body) for item in reader.items(_MAX_DOCUMENTS_READ))
        if self._query.counts_all:
            documents: Iterable[tuple[int, Any]] = (
                (item.number, {}) for item in reader.live_items()
            )
        else:
            items = reader.items(_MAX_DOCUMENTS_READ if self._is_streamed else None)
            documents = ((item.number, decode(item.body)) for item in items)
        rows = self._query.rows(
            documents, self._parameters, after=after, presorted=self._is_streamed
        )
        if self._is_streamed:
            return ((reader.position, encode(result)) for _, result in rows)
        return ((position, encode(result)) for position, result in rows)

    def _narrow(self, scan: Scan, start: ContinuationToken) -> Scan:
        """Return the scan of the documents that the query needs, as far as columns can tell."""
        scan = replace(scan, conditions=(*scan.conditions, *self._conditions()))
        if not self._is_streamed:
            return scan
        column: Order = self._sorted_by or "number"
        descending = bool(self._sorted_by) and self._query.tree.order[0].descending
        return replace(scan, order=column, descending=descending, after=_scan_start(start.after))

    def _conditions(self) -> Iterator[Condition]:
        """Yield the conditions on columns of the table that the query implies."""
        for comparison in comparisons(self._query.tree, self._parameters):
            column, value = _COLUMNS.get(comparison.steps), comparison.value
            is_text = column == "id" and isinstance(value, str)
            is_time = column == "ts" and is_number(value) and abs(value) < _MAX_INTEGER
            if column is not None and (is_text or is_time):
                yield column, comparison.operator, value


def _scan_start(position: RowPosition | None) -> tuple[Any, Any] | None:
    """Return the column and number that a scan has at a position in its order."""
    if position is None:
        return None
    return (position.keys[0][1] if position.keys else position.tie_breaker), position.tie_breaker
