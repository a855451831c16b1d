"""Query plans have the forms that Microsoft's .NET SDK has recorded of the service."""

from __future__ import annotations

from typing import Any

import pytest

from local.cosmos.query import QueryError, QueryPlan, UnsupportedQueryError, parse, plan_query

NONE: dict[str, Any] = {
    "distinctType": "None",
    "top": None,
    "offset": None,
    "limit": None,
    "orderBy": [],
    "orderByExpressions": [],
    "groupByExpressions": [],
    "groupByAliases": [],
    "aggregates": [],
    "groupByAliasToAggregateType": {},
    "rewrittenQuery": "",
    "hasSelectValue": False,
    "dCountInfo": None,
    "hasNonStreamingOrderBy": False,
}
FILTER = "({documentdb-formattableorderbyquery-filter})"


def plan_of(query: str, *, one_key: bool = False, **parameters: Any) -> QueryPlan:
    values = {f"@{name}": value for name, value in parameters.items()}
    return plan_query(parse(query), values, one_key=one_key)


def lines(*texts: str) -> str:
    return "\n".join(texts)


def ascending(path: str) -> dict[str, Any]:
    return {"orderBy": ["Ascending"], "orderByExpressions": [path]}


@pytest.mark.parametrize(
    ("query", "expected", "features"),
    [
        ("SELECT * FROM c", {}, ""),
        ("SELECT VALUE c.x FROM c WHERE c.x = 1", {"hasSelectValue": True}, ""),
        ("SELECT TOP 5 * FROM c", {"top": 5}, "Top"),
        ("SELECT TOP @n * FROM c", {"top": 7}, "Top"),
        ("SELECT DISTINCT c.x FROM c", {"distinctType": "Unordered"}, "Distinct"),
        (
            "SELECT DISTINCT TOP 5 VALUE c.x FROM c",
            {
                "distinctType": "Unordered",
                "top": 5,
                "hasSelectValue": True,
                "rewrittenQuery": lines("SELECT DISTINCT VALUE c.x", "FROM c"),
            },
            "Distinct, Top",
        ),
        (
            "SELECT * FROM c WHERE c.x = 5 OFFSET 1 LIMIT 2",
            {
                "offset": 1,
                "limit": 2,
                "rewrittenQuery": lines(
                    "SELECT *", "FROM c", "WHERE (c.x = 5)", "OFFSET 0 LIMIT 3"
                ),
            },
            "OffsetAndLimit",
        ),
        (
            "SELECT * FROM Root r ORDER BY r.x",
            {
                **ascending("r.x"),
                "rewrittenQuery": lines(
                    'SELECT r._rid, [{"item": r.x}] AS orderByItems, r AS payload',
                    "FROM Root AS r",
                    f"WHERE {FILTER}",
                    "ORDER BY r.x",
                ),
            },
            "OrderBy",
        ),
        (
            "SELECT TOP 10 c.a, c['b-c'] FROM Root c WHERE c.key = 'key' ORDER BY c.x ASC",
            {
                **ascending("c.x"),
                "top": 10,
                "rewrittenQuery": lines(
                    'SELECT TOP 10 c._rid, [{"item": c.x}] AS orderByItems, '
                    '{"a": c.a, "b-c": c["b-c"]} AS payload',
                    "FROM Root AS c",
                    f'WHERE ((c.key = "key") AND {FILTER})',
                    "ORDER BY c.x ASC",
                ),
            },
            "OrderBy, Top",
        ),
        (
            "SELECT VALUE r.a FROM r WHERE r.d = true ORDER BY r.x DESC, r.y OFFSET 2 LIMIT @n",
            {
                "orderBy": ["Descending", "Ascending"],
                "orderByExpressions": ["r.x", "r.y"],
                "offset": 2,
                "limit": 7,
                "hasSelectValue": True,
                "rewrittenQuery": lines(
                    'SELECT r._rid, [{"item": r.x}, {"item": r.y}] AS orderByItems, r.a AS payload',
                    "FROM r",
                    f"WHERE (((r.d = true) AND {FILTER}) AND IS_DEFINED(r.a))",
                    "ORDER BY r.x DESC, r.y",
                    "OFFSET 0 LIMIT 9",
                ),
            },
            "MultipleOrderBy, OffsetAndLimit",
        ),
        (
            "SELECT DISTINCT VALUE c.x FROM c ORDER BY c.x",
            {
                **ascending("c.x"),
                "distinctType": "Ordered",
                "hasSelectValue": True,
                "rewrittenQuery": lines(
                    'SELECT c._rid, [{"item": c.x}] AS orderByItems, c.x AS payload',
                    "FROM c",
                    f"WHERE ({FILTER} AND IS_DEFINED(c.x))",
                    "ORDER BY c.x",
                ),
            },
            "OrderBy, Distinct",
        ),
        (
            "SELECT DISTINCT c.x FROM c ORDER BY c.y OFFSET 1 LIMIT 2",
            {
                **ascending("c.y"),
                "distinctType": "Unordered",
                "offset": 1,
                "limit": 2,
                "rewrittenQuery": lines(
                    'SELECT c._rid, [{"item": c.y}] AS orderByItems, {"x": c.x} AS payload',
                    "FROM c",
                    f"WHERE {FILTER}",
                    "ORDER BY c.y",
                ),
            },
            "OrderBy, Distinct, OffsetAndLimit",
        ),
        (
            "SELECT VALUE COUNT(1) FROM c WHERE c.key IN (1, 'a')",
            {
                "aggregates": ["Count"],
                "hasSelectValue": True,
                "rewrittenQuery": lines(
                    'SELECT VALUE [{"item": COUNT(1)}]', "FROM c", 'WHERE (c.key IN (1, "a"))'
                ),
            },
            "Aggregate",
        ),
        (
            "SELECT TOP 10 VALUE AVG(r.age + 1) FROM Root r",
            {
                "top": 10,
                "aggregates": ["Average"],
                "hasSelectValue": True,
                "rewrittenQuery": lines(
                    'SELECT VALUE [{"item": '
                    '{"sum": SUM((r.age + 1)), "count": COUNT((r.age + 1))}}]',
                    "FROM Root AS r",
                ),
            },
            "Aggregate, Top",
        ),
        (
            "SELECT VALUE MIN(c.x) FROM c",
            {
                "aggregates": ["Min"],
                "hasSelectValue": True,
                "rewrittenQuery": lines(
                    'SELECT VALUE [{"item": MIN(c.x), '
                    '"item2": {"min": MIN(c.x), "count": COUNT(c.x)}}]',
                    "FROM c",
                ),
            },
            "Aggregate",
        ),
        (
            "SELECT SUM(c.x), COUNT(1) AS number FROM c",
            {
                "groupByAliases": ["$1", "number"],
                "groupByAliasToAggregateType": {"$1": "Sum", "number": "Count"},
                "rewrittenQuery": lines(
                    'SELECT {"$1": {"item": SUM(c.x)}, "number": {"item": COUNT(1)}} AS payload',
                    "FROM c",
                ),
            },
            "NonValueAggregate, MultipleAggregates",
        ),
    ],
)
def test_a_plan_has_the_recorded_form(query: str, expected: dict[str, Any], features: str) -> None:
    """What SDKs merge by, and the query that each physical partition gets."""
    made = plan_of(query, n=7)

    assert made.info == {**NONE, **expected}
    assert ", ".join(made.features) == features


def test_one_partition_key_skips_by_itself() -> None:
    """Unless equal results of several pages must be merged."""
    assert plan_of("SELECT * FROM c OFFSET 1 LIMIT 2", one_key=True).info == NONE
    distinct = plan_of("SELECT DISTINCT * FROM c WHERE c.key = 5 OFFSET 1 LIMIT 2", one_key=True)
    assert (distinct.info["offset"], distinct.info["limit"]) == (1, 2)
    assert distinct.info["rewrittenQuery"] == "SELECT DISTINCT *\nFROM c\nWHERE (c.key = 5)"


@pytest.mark.parametrize(
    "query",
    [
        "SELECT c.a, c.b AS d, c[0] FROM c WHERE (NOT (c.x IN (1, @n))) OR c.y BETWEEN 1 AND 2.5",
        'SELECT VALUE {"a b": [c.order, -1, "ü\\n"]} FROM c WHERE STARTSWITH(c.x, "\'", true)',
        "SELECT VALUE (c.x + (1 - c.y)) FROM c WHERE (c.n = null) ORDER BY c.x DESC",
    ],
)
def test_a_rewritten_query_says_the_same(query: str) -> None:
    """Parsed again, it is the same tree."""
    limited = parse(f"{query} OFFSET 0 LIMIT 5")
    rewritten = plan_of(f"{query} OFFSET 0 LIMIT 5", n=1).info["rewrittenQuery"]

    again = parse(rewritten.replace("{documentdb-formattableorderbyquery-filter}", "true")).tree

    if limited.tree.order:
        again_columns = again.columns or ()
        assert again_columns[2].expression == (limited.tree.columns or ())[0].expression
        assert again.order == limited.tree.order
    else:
        assert again == limited.tree


def test_a_client_must_support_what_it_is_to_merge() -> None:
    """As the service says it."""
    made = plan_of("SELECT TOP 1 COUNT(1) FROM c")

    made.check_features("Aggregate, NonValueAggregate, Top")
    with pytest.raises(QueryError, match="Query contained NonValueAggregate") as caught:
        made.check_features("Aggregate,Top,OrderBy")
    assert "Top" not in str(caught.value)


@pytest.mark.parametrize("query", ["SELECT VALUE [SUM(c.x)] FROM c", "SELECT COUNT(1), 1 FROM c"])
def test_aggregates_inside_expressions_are_not_merged(query: str) -> None:
    """They are taken where a physical partition runs them, as parts of rewritten queries."""
    assert list(parse(query).run([], {}))
    with pytest.raises(UnsupportedQueryError, match="inside another expression"):
        plan_of(query)
