"""The query language of the embedded Cosmos DB, with query plans."""

from local.cosmos.query.conditions import comparisons, fixed_values
from local.cosmos.query.errors import QueryError, QuerySyntaxError, UnsupportedQueryError
from local.cosmos.query.plan import QueryPlan, plan_query
from local.cosmos.query.query import Query, parse
from local.cosmos.query.sorting import RowPosition

__all__ = [
    "Query",
    "QueryError",
    "QueryPlan",
    "QuerySyntaxError",
    "RowPosition",
    "UnsupportedQueryError",
    "comparisons",
    "fixed_values",
    "parse",
    "plan_query",
]
