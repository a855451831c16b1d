"""Errors of queries."""

from __future__ import annotations


class QueryError(Exception):
    """The query cannot be run; the message names the invalid part."""


class QuerySyntaxError(QueryError):
    """The text is not a query."""


class UnsupportedQueryError(QueryError):
    """The text may be a query, but the embedded Cosmos DB does not support it.

    Attributes:
        part: The part that is not supported.
    """

    def __init__(self, part: str) -> None:
        super().__init__(f"{part} is not supported by the embedded Cosmos DB.")
        self.part = part
