"""The query language of the embedded Cosmos DB: text, tokens, tree, closures; and query plans."""

from local.cosmos.query.conditions import comparisons, fixed_values
from local.cosmos.query.errors import QueryError, QuerySyntaxError, UnsupportedQueryError
from local.cosmos.query.plan import Plan, plan
from local.cosmos.query.query import Query, parse
from local.cosmos.query.sorting import Place

__all__ = [
    "Place",
    "Plan",
    "Query",
    "QueryError",
    "QuerySyntaxError",
    "UnsupportedQueryError",
    "comparisons",
    "fixed_values",
    "parse",
    "plan",
]
