"""Why a query is refused."""

from __future__ import annotations


class QueryError(Exception):
    """The query cannot be run; the text says which part is at fault."""


class QuerySyntaxError(QueryError):
    """The text is no query."""


class UnsupportedQueryError(QueryError):
    """The text may be a query, but uses what the embedded Cosmos DB does not cover."""

    def __init__(self, part: str) -> None:
        super().__init__(f"{part} is not supported by the embedded Cosmos DB.")
        self.part = part
