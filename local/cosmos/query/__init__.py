"""The query language of the embedded Cosmos DB: text, tokens, tree, closures."""

from local.cosmos.query.errors import QueryError, QuerySyntaxError, UnsupportedQueryError
from local.cosmos.query.query import Query, parse

__all__ = ["Query", "QueryError", "QuerySyntaxError", "UnsupportedQueryError", "parse"]
