"""One page of a query's result in one physical partition, and where the next one begins."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from local.cosmos.errors import bad_request
from local.cosmos.jsontext import decode, encode
from local.cosmos.query import Place, comparisons
from local.cosmos.query.values import is_number, sort_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from local.cosmos.query import Query
    from local.cosmos.query.values import SortKey
    from local.cosmos.replicas import View
    from local.cosmos.table import Condition, Item, Order, Scan

_MAX_BYTES = 4 * 1024 * 1024
_MAX_READ = 20_000
"""Documents that one page of a streamed query reads, so that others are not kept waiting."""
_MAX_TOKEN_CHARS = 6_000
"""The SDKs' HTTP libraries take header lines of up to 8 KB."""
_MAX_INTEGER = 2**53

_COLUMNS: Mapping[tuple[str | int, ...], Literal["id", "ts"]] = {("id",): "id", ("_ts",): "ts"}
"""The paths that a column of the table holds, which SQLite filters and sorts by."""


@dataclass(frozen=True, kw_only=True)
class Token:
    """Where a page begins.

    Attributes:
        after: The place of the last row that was returned or skipped, None for the first page.
        skip: Rows still to skip (OFFSET).
        left: Rows still to return (TOP, LIMIT), None for all.
    """

    after: Place | None
    skip: int
    left: int | None

    @property
    def text(self) -> str:
        """The token as a header has it.

        Raises:
            ServiceError: 400, if it is too long for one.
        """
        after = self.after and [[list(key) for key in self.after.keys], self.after.tie]
        text = json.dumps([after, self.skip, self.left], separators=(",", ":"))
        if len(text) > _MAX_TOKEN_CHARS:
            raise bad_request(
                "A page ends at a value that is too long for a continuation token: ask for a "
                "larger page (x-ms-max-item-count), or ORDER BY something shorter."
            )
        return text


def parse_token(text: str) -> Token:
    """Return the token of a text.

    Raises:
        ServiceError: 400, if it is not one of this server.
    """
    try:
        after, skip, left = json.loads(text)
        place = after and Place(tuple(map(_key, after[0])), after[1])
        return Token(after=place, skip=int(skip), left=left if left is None else int(left))
    except (ValueError, TypeError, KeyError):
        raise bad_request(f"The continuation token {text:.100} is not from this server.") from None


def _key(pair: list[Any]) -> SortKey:
    kind, value = pair
    if sort_key(value)[0] != kind and value != 0:
        raise ValueError(value)
    return kind, value


@dataclass(frozen=True, kw_only=True)
class Page:
    """A page.

    Attributes:
        bodies: The results as JSON texts.
        read: The number of documents that were read.
        read_bytes: Their size.
        next: Where the next page begins, None if there is none.
    """

    bodies: list[str]
    read: int
    read_bytes: int
    next: Token | None


class _Source:
    """The documents that a page reads; remembers what was read."""

    def __init__(self, view: View, scan: Scan, default_ttl: int | None) -> None:
        self._view = view
        self._default_ttl = default_ttl
        self.scan = scan
        self.read = 0
        self.read_bytes = 0
        self.last: Item | None = None
        self.is_exhausted = True

    def items(self, most: int | None) -> Iterator[Item]:
        """Yield items; after `most` of them the source ends, though it is not exhausted."""
        for item in self.unread():
            if self.read == most:
                self.is_exhausted = False
                return
            self.last = item
            self.read += 1
            self.read_bytes += len(item.body)
            yield item

    def unread(self) -> Iterator[Item]:
        """Yield items for a query that an index answers without reading them."""
        now = time.time()
        for item in self._view.scan(self.scan):
            if not item.is_expired(self._default_ttl, now):
                yield item

    @property
    def place(self) -> Place | None:
        """The place of the last item that was read, for rows that come in the scan's order."""
        if self.last is None:
            return None
        value, number = self.scan.sort_key(self.last)
        return Place(() if self.scan.order == "number" else (sort_key(value),), number)


class Pager:
    """Runs a query page by page.

    Args:
        query: The query.
        parameters: The values of its parameters.
        view: What is read.
        default_ttl: The container's time to live.
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
            scan: The part of the container that the query runs over.
            token: Where the page begins, None for the first one.
            limit: At most this number of results.

        Raises:
            QueryError: If a parameter is missing, or TOP, OFFSET or LIMIT is not a number.
            ServiceError: 400, if the token is not from this server.
        """
        window = self._query.window(self._parameters)
        start = Token(after=None, skip=window.skip, left=window.left)
        if token is not None:
            start = self._checked(parse_token(token))
        source = _Source(self._view, self._narrowed(scan, start), self._default_ttl)
        bodies, following = self._take(source, start, limit)
        return Page(bodies=bodies, read=source.read, read_bytes=source.read_bytes, next=following)

    def _checked(self, token: Token) -> Token:
        place, query = token.after, self._query
        if place is not None and (
            len(place.keys) != len(query.tree.order)
            or isinstance(place.tie, str) != query.is_distinct
        ):
            raise bad_request("The continuation token belongs to another query.")
        return token

    def _take(self, source: _Source, start: Token, limit: int) -> tuple[list[str], Token | None]:
        bodies: list[str] = []
        size, token = 0, start
        if token.left == 0:
            return [], None
        for place, body in self._rows(source, start.after):
            if token.skip:
                token = Token(after=place, skip=token.skip - 1, left=token.left)
                continue
            if len(bodies) >= limit or size >= _MAX_BYTES:
                return bodies, token
            bodies.append(body)
            size += len(body)
            left = None if token.left is None else token.left - 1
            token = Token(after=place, skip=0, left=left)
            if left == 0:
                return bodies, None
        return bodies, None if source.is_exhausted else replace(token, after=source.place)

    def _rows(self, source: _Source, after: Place | None) -> Iterable[tuple[Place | None, str]]:
        """Yield the results as JSON texts, with their places."""
        if self._query.is_plain:
            return ((source.place, item.body) for item in source.items(_MAX_READ))
        if self._query.counts_all:
            documents: Iterable[tuple[int, Any]] = ((item.number, {}) for item in source.unread())
        else:
            items = source.items(_MAX_READ if self._is_streamed else None)
            documents = ((item.number, decode(item.body)) for item in items)
        rows = self._query.rows(
            documents, self._parameters, after=after, presorted=self._is_streamed
        )
        if self._is_streamed:
            return ((source.place, encode(result)) for _, result in rows)
        return ((place, encode(result)) for place, result in rows)

    def _narrowed(self, scan: Scan, start: Token) -> Scan:
        """Return the scan that reads no more than the query needs, as far as the table can tell."""
        scan = replace(scan, conditions=(*scan.conditions, *self._conditions()))
        if not self._is_streamed:
            return scan
        column: Order = self._sorted_by or "number"
        descending = bool(self._sorted_by) and self._query.tree.order[0].descending
        return replace(scan, order=column, descending=descending, after=_scanned(start.after))

    def _conditions(self) -> Iterator[Condition]:
        """Yield what the query's condition says about columns of the table."""
        for comparison in comparisons(self._query.tree, self._parameters):
            column, value = _COLUMNS.get(comparison.steps), comparison.value
            is_text = column == "id" and isinstance(value, str)
            is_time = column == "ts" and is_number(value) and abs(value) < _MAX_INTEGER
            if column is not None and (is_text or is_time):
                yield column, comparison.operator, value


def _scanned(place: Place | None) -> tuple[Any, Any] | None:
    """Return what a scan calls the place of a row that came in its order."""
    if place is None:
        return None
    return (place.keys[0][1] if place.keys else place.tie), place.tie
