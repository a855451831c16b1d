"""Query plans, by which SDKs run a query on each physical partition and merge the results.

The plans are those that Microsoft's .NET SDK recorded of the service
(`QueryPlanBaselineTests.*.xml`), except as noted at `_distinct_type`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from local.cosmos.query.errors import QueryError, UnsupportedQueryError
from local.cosmos.query.text import expression_text, query_text
from local.cosmos.query.tree import Array, Call, Literal, Object, Parameter, Path, SelectItem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local.cosmos.query.query import Query, Window
    from local.cosmos.query.tree import Expression, Select

_FILTER = Parameter("({documentdb-formattableorderbyquery-filter})")
"""A placeholder for the condition by which an SDK resumes an ORDER BY."""

_FOR_CLIENTS_ONLY = frozenset({"Distinct", "NonValueAggregate"})
_OPERATORS = {"COUNT": "Count", "SUM": "Sum", "MIN": "Min", "MAX": "Max", "AVG": "Average"}


@dataclass(frozen=True, kw_only=True)
class QueryPlan:
    """The plan of a query.

    Attributes:
        info: The member `queryInfo` of the response.
        features: The features that a client needs to merge the results.
    """

    info: dict[str, Any]
    features: tuple[str, ...]

    @property
    def is_for_clients_only(self) -> bool:
        """Whether the gateway never runs the query, even for a partition key in its WHERE."""
        return not _FOR_CLIENTS_ONLY.isdisjoint(self.features)

    @property
    def is_needed(self) -> bool:
        """Whether results of several physical partitions cannot simply be concatenated."""
        return bool(self.features)

    def check_features(self, supported: str) -> None:
        """Check that a client supports the plan.

        Args:
            supported: The features that the client supports, separated by commas.

        Raises:
            QueryError: If the client does not support one of the features.
        """
        known = {feature.strip() for feature in supported.split(",")}
        missing = [feature for feature in self.features if feature not in known]
        if missing:
            lines = [
                f"Query contained {feature}, which the calling client does not support."
                for feature in missing
            ]
            raise QueryError(
                "Query contains 1 or more unsupported features. Upgrade your SDK to a version "
                "that does support the requested features:\n" + "\n".join(lines)
            )


def plan_query(query: Query, parameters: Mapping[str, Any], *, one_key: bool) -> QueryPlan:
    """Return the plan of a query.

    Args:
        query: The query.
        parameters: The values of its parameters.
        one_key: Whether the query reads a single partition key.

    Raises:
        QueryError: If TOP, OFFSET or LIMIT is not a number.
        UnsupportedQueryError: If an aggregate is part of another expression.
    """
    tree = query.tree
    expressions = [column.expression for column in tree.columns or ()]
    if query.aggregates and query.aggregates != expressions:
        raise UnsupportedQueryError("An aggregate inside another expression")
    window = query.window(parameters)
    if query.aggregates:
        return _aggregate_plan(query, window)
    if one_key and tree.offset is not None and not tree.distinct and not tree.order:
        tree = replace(tree, offset=None, limit=None)
    info = {**_info(tree, _rewritten(tree, window)), **_counts(tree, window)}
    return QueryPlan(info=info, features=tuple(_features(tree)))


def _counts(tree: Select, window: Window) -> dict[str, int | None]:
    return {
        "top": None if tree.top is None else window.remaining,
        "offset": None if tree.offset is None else window.skip,
        "limit": None if tree.limit is None else window.remaining,
    }


def _info(tree: Select, rewritten: str) -> dict[str, Any]:
    return {
        "distinctType": _distinct_type(tree),
        "orderBy": ["Descending" if item.descending else "Ascending" for item in tree.order],
        "orderByExpressions": [expression_text(item.path, tree.alias) for item in tree.order],
        "groupByExpressions": [],
        "groupByAliases": [],
        "aggregates": [],
        "groupByAliasToAggregateType": {},
        "rewrittenQuery": rewritten,
        "hasSelectValue": tree.value,
        "dCountInfo": None,
        "hasNonStreamingOrderBy": False,
    }


def _features(tree: Select) -> Iterator[str]:
    if tree.order:
        yield "OrderBy" if len(tree.order) == 1 else "MultipleOrderBy"
    if tree.distinct:
        yield "Distinct"
    if tree.offset is not None:
        yield "OffsetAndLimit"
    if tree.top is not None:
        yield "Top"


def _distinct_type(tree: Select) -> str:
    """Return how clients find equal results: `Unordered`, which is always correct, if in doubt."""
    if not tree.distinct:
        return "None"
    selected = [column.expression for column in tree.columns or ()]
    is_sorted_by_value = tree.value and selected == [item.path for item in tree.order]
    return "Ordered" if is_sorted_by_value else "Unordered"


def _rewritten(tree: Select, window: Window) -> str:
    """Return the query for each physical partition, empty if it is the same query."""
    skip, remaining = window
    rewritten = replace(tree, top=None, offset=None, limit=None)
    if remaining is None or tree.distinct:  # equal results in several partitions count once
        pass
    elif tree.top is not None:
        rewritten = replace(rewritten, top=Literal(remaining))
    else:
        rewritten = replace(rewritten, offset=Literal(0), limit=Literal(skip + remaining))
    if tree.order:
        return query_text(replace(rewritten, **_sorted(tree)))
    is_unchanged = tree.offset is None and (tree.top is None or not tree.distinct)
    return "" if is_unchanged else query_text(rewritten)


def _sorted(tree: Select) -> dict[str, Any]:
    """Return the changes by which the rows of a query contain their sort keys."""
    payload: Expression
    if tree.columns is None:
        payload = Path(())
    elif tree.value:
        payload = tree.columns[0].expression
    else:
        payload = Object(tuple((column.name, column.expression) for column in tree.columns))
    keys = Array(tuple(Object((("item", item.path),)) for item in tree.order))
    where: Expression = _FILTER if tree.where is None else Call("AND", (tree.where, _FILTER))
    if tree.value:
        where = Call("AND", (where, Call("IS_DEFINED", (payload,))))
    columns = (
        SelectItem("_rid", Path(("_rid",))),
        SelectItem("orderByItems", keys),
        SelectItem("payload", payload),
    )
    return {"columns": columns, "value": False, "distinct": False, "where": where}


def _aggregate_plan(query: Query, window: Window) -> QueryPlan:
    """Return the plan of a query with aggregates, which ignores ORDER BY and DISTINCT."""
    tree = replace(query.tree, distinct=False, top=None, offset=None, limit=None)
    names = [column.name for column in tree.columns or ()]
    operators = [_OPERATORS[call.name] for call in query.aggregates]
    merged = [_mergeable(call) for call in query.aggregates]
    if tree.value:
        columns = (SelectItem("$1", Array(tuple(merged))),)
        aggregates: dict[str, Any] = {"aggregates": operators}
    else:
        columns = (SelectItem("payload", Object(tuple(zip(names, merged, strict=True)))),)
        by_alias = dict(zip(names, operators, strict=True))
        aggregates = {"groupByAliases": names, "groupByAliasToAggregateType": by_alias}
    rewritten = query_text(replace(tree, columns=columns))
    info = {
        **_info(replace(tree, order=()), rewritten),
        **_counts(query.tree, window),
        **aggregates,
    }
    several = ("MultipleAggregates",) if len(operators) > 1 else ()
    first = "Aggregate" if tree.value else "NonValueAggregate"
    rest = _features(replace(query.tree, distinct=False, order=()))
    return QueryPlan(info=info, features=(first, *several, *rest))


def _mergeable(call: Call) -> Object:
    """Return the form of an aggregate that SDKs merge with those of other partitions."""
    count = Call("COUNT", call.arguments)
    if call.name == "AVG":
        total = Call("SUM", call.arguments)
        return Object((("item", Object((("sum", total), ("count", count)))),))
    if call.name in {"MIN", "MAX"}:
        second = Object(((call.name.lower(), call), ("count", count)))
        return Object((("item", call), ("item2", second)))
    return Object((("item", call),))
