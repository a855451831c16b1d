"""What queries compute, evaluated over documents without a server."""

from __future__ import annotations

import re
from typing import Any

import pytest

from local.cosmos.query import QueryError, UnsupportedQueryError, fixed_values, parse
from local.cosmos.query.conditions import Comparison, comparisons
from local.cosmos.query.tree import Select

MIXED = [None, True, False, 1, 2.5, -3, "a", "B"]
DOCUMENTS: list[dict[str, Any]] = [
    *({"id": f"{number}", "x": value, "n": number} for number, value in enumerate(MIXED)),
    {"id": "8", "n": 8},
]


def run(query: str, documents: list[dict[str, Any]] | None = None, **parameters: Any) -> list[Any]:
    values = {f"@{name}": value for name, value in parameters.items()}
    return list(parse(query).run(DOCUMENTS if documents is None else documents, values))


def where(condition: str) -> Select:
    return parse(f"SELECT * FROM c WHERE {condition}").tree  # noqa: S608 - of constants


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT c FROM c", [{"c": {"id": "1"}}]),
        ("SELECT r FROM root AS r", [{"r": {"id": "1"}}]),
        ("SELECT c.id, 1, c.id = '1', c.list[0] FROM c", [{"id": "1", "$1": 1, "$2": True}]),
        ("SELECT VALUE [c.id, c.none, {'a': c.id, b: c.none}] FROM c", [["1", {"a": "1"}]]),
        ("SELECT VALUE {} FROM c", [{}]),
    ],
)
def test_results_have_the_names_of_the_service(text: str, expected: list[Any]) -> None:
    """The last step of a path, the document's alias, or a number."""
    assert run(text, [{"id": "1"}]) == expected


@pytest.mark.parametrize("text", ["SELECT VALUE c.value FROM c", 'SELECT VALUE c["value"] FROM c'])
def test_a_member_may_be_named_like_a_keyword(text: str) -> None:
    """In the letters that the query has."""
    assert run(text, [{"value": 1, "VALUE": 2}]) == [1]
    assert run(text.replace("value", "Order"), [{"order": 1, "Order": 2}]) == [2]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("-5 % 3", -2),
        ("5 % -3", 2),
        ("-5.5 % 2", -1.5),
        ("7 / 2", 3.5),
        ("-(2 + 1) * 2", -6),
        ("[1, 'a', {'b': true}] = [1.0, 'a', {'b': true}]", True),
        ("[1] = [true]", False),
        ("{'a': 1, 'b': 2} = {'b': 2, 'a': 1}", True),
        ("3 BETWEEN 1 AND 3", True),
        ("4 BETWEEN 1 AND 3", False),
        ("1 IN (true, 1.0)", True),
        ("IS_NUMBER(1) AND NOT IS_NUMBER(true)", True),
        ("IS_ARRAY([]) AND IS_OBJECT({}) AND IS_BOOL(false) AND IS_BOOLEAN(true)", True),
        (r"'\u00e4\ud83d\ude00\''", "ä😀'"),
    ],
)
def test_expressions_are_computed_as_in_the_service(expression: str, expected: object) -> None:
    """Without FROM there is one result."""
    (result,) = run(f"SELECT VALUE {expression}")

    assert (type(result), result) == (type(expected), expected)


@pytest.mark.parametrize(
    "expression", ["1 % 0", "1 / 0", "true + 1", "-'a'", "1 BETWEEN 'a' AND 2"]
)
def test_what_cannot_be_computed_is_no_result(expression: str) -> None:
    """Undefined, as a member that is missing."""
    assert run(f"SELECT VALUE {expression}") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("SELECT VALUE 1", [1]),
        ("SELECT 1", [{"$1": 1}]),
        ("SELECT VALUE 1 WHERE false", []),
        ("SELECT TOP 0 * FROM c", []),
        ("SELECT TOP 0 VALUE COUNT(1) FROM c", []),
        ("SELECT VALUE COUNT(1) FROM c OFFSET 1 LIMIT 1", []),
        ("SELECT VALUE c.n FROM c OFFSET 7 LIMIT 5", [7, 8]),
        ("SELECT TOP 2 VALUE c.x FROM c WHERE c.n > 6", ["B"]),
    ],
)
def test_the_number_of_results_is_what_the_query_says(text: str, expected: list[Any]) -> None:
    """Undefined values are left out before they are counted."""
    assert run(text) == expected


@pytest.mark.parametrize(
    ("aggregate", "condition", "expected"),
    [
        ("COUNT(c.x)", "true", [8]),
        ("COUNT(c.x)", "false", [0]),
        ("SUM(c.x)", "c.n IN (3, 4, 5)", [0.5]),
        ("SUM(c.x)", "c.n IN (1, 2)", []),
        ("SUM(c.x)", "c.n IN (1, 3)", []),
        ("SUM(c.x)", "false", [0]),
        ("AVG(c.x)", "c.n IN (3, 5, 8)", [-1]),
        ("AVG(c.x)", "c.n = 1", []),
        ("AVG(c.x)", "false", []),
        ("MIN(c.x)", "true", [None]),
        ("MIN(c.x)", "c.n > 0", [False]),
        ("MAX(c.x)", "true", ["a"]),
        ("MAX(c.x)", "c.n = 8", []),
        ("MAX(c.x)", "false", []),
        ("MAX(c)", "true", []),
    ],
)
def test_aggregates_are_what_microsoft_has_recorded(
    aggregate: str, condition: str, expected: list[Any]
) -> None:
    """Booleans cannot be summed; over nothing, and over objects, a highest value is undefined."""
    query = f"SELECT VALUE {aggregate} FROM c WHERE {condition}"  # noqa: S608 - of constants

    assert run(query) == expected


def test_an_undefined_aggregate_is_left_out_of_an_object() -> None:
    """The other ones stay."""
    assert run("SELECT COUNT(1), MAX(c.none), SUM(c.n) AS n FROM c") == [{"$1": 9, "n": 36}]


def test_equal_results_are_one() -> None:
    """Numbers by value, objects whatever the order of their members; true is not 1."""
    values = [1, 1.0, True, {"a": 1, "b": 2}, {"b": 2.0, "a": 1}, None, None]
    documents = [{"x": value} for value in values]

    results = run("SELECT DISTINCT VALUE c.x FROM c", documents)

    assert len(results) == 4
    assert run("SELECT DISTINCT VALUE c.n % 3 FROM c ORDER BY c.id DESC") == [2, 1, 0]
    assert run("SELECT DISTINCT VALUE c.x FROM c ORDER BY c.x DESC", documents) == [
        *({"a": 1, "b": 2}, 1, True, None)
    ]


def test_types_are_sorted_as_in_the_service() -> None:
    """Undefined, null, booleans, numbers, text; ties in the direction of the first path."""
    assert run("SELECT VALUE c.n FROM c ORDER BY c.x") == [8, 0, 2, 1, 5, 3, 4, 7, 6]
    assert run("SELECT VALUE c.n FROM c ORDER BY c.none DESC") == list(range(8, -1, -1))
    assert run("SELECT VALUE c.n FROM c ORDER BY c.none, c.n DESC") == list(range(8, -1, -1))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("SELECT *", "FROM"),
        ("SELECT VALUE c.x", "Identifier 'c'"),
        ("SELECT c.a, c.b.a FROM c", "'a'"),
        ("SELECT * FROM c ORDER BY LOWER(c.x)", "ORDER BY"),
        ("SELECT * FROM c ORDER BY c", "ORDER BY"),
        ("SELECT TOP 1 * FROM c OFFSET 1 LIMIT 1", "TOP or OFFSET LIMIT"),
        ("SELECT TOP -1 * FROM c", "near '-'"),
        ("SELECT TOP 2147483648 * FROM c", "2147483648"),
        ("SELECT TOP @text * FROM c", "'text'"),
        ("SELECT TOP @true * FROM c", "True"),
        ("SELECT VALUE MAX(MIN(c.x)) FROM c", "Function MIN"),
        ("SELECT c.x, COUNT(1) FROM c", "Aggregates beside other expressions"),
        ("SELECT * FROM c WHERE COUNT(1) > 1", "Function COUNT"),
        ("SELECT VALUE undefined", "UNDEFINED"),
        ("SELECT VALUE {'a'}", "expected :"),
        ("SELECT VALUE [1 2]", "expected ,"),
        (r"SELECT VALUE '\ud800'", "Unicode"),
        ("SELECT VALUE STARTSWITH('a')", "STARTSWITH does not take 1"),
        ("SELECT * FROM c IN c.list", "part of the document"),
    ],
)
def test_what_is_not_covered_is_rejected_by_name(text: str, part: str) -> None:
    """Better no answer than a wrong one."""
    with pytest.raises(QueryError, match=part):
        run(text, text="text", true=True)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("c.pk = 'a'", ["a"]),
        ("@p = c.pk AND c.x > 1", ["p"]),
        ("c.pk IN ('a', 1, null, 'a')", ["a", 1, None]),
        ("c.pk = 'a' OR (c.pk = 'b' AND c.x = 1)", ["a", "b"]),
        ("c.pk = 'a' AND c.pk IN ('a', 'b')", ["a"]),
        ("c.pk = 'a' AND c.pk = 'b'", []),
        ("c.pk = 'a' OR c.x = 1", None),
        ("NOT c.pk = 'a'", None),
        ("c.pk > 'a'", None),
        ("c.pk = c.x", None),
        ("c.pk = []", None),
        ("c.other = 'a'", None),
        ("true", None),
    ],
)
def test_a_condition_fixes_the_partition_key(condition: str, expected: list[Any] | None) -> None:
    """By equality, IN, and what AND and OR make of them."""
    tree = where(condition)

    assert fixed_values(tree, ("pk",), {"@p": "p"}) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("c.id >= 'a' AND 'b' > c.id", [(">=", "a"), ("<", "b")]),
        ("c.id BETWEEN 1 AND 2 AND c.x = 1", [(">=", 1), ("<=", 2)]),
        ("STARTSWITH(c.id, @p)", [(">=", "p"), ("<", "q")]),
        ("STARTSWITH(c.id, '\ud7ff')", [(">=", "\ud7ff"), ("<", "\ue000")]),
        ("STARTSWITH(c.id, '\U0010ffff')", [(">=", "\U0010ffff")]),
        ("STARTSWITH(c.id, 'p', true)", []),
        ("c.id = 'a' OR c.id = 'b'", []),
        ("NOT (c.id = 'a')", []),
        ("c.id != 'a'", []),
        ("c.id > c.x", []),
    ],
)
def test_a_condition_bounds_a_path(condition: str, expected: list[tuple[str, Any]]) -> None:
    """By what holds for every result."""
    tree = where(condition)

    implied = [bound for bound in comparisons(tree, {"@p": "p"}) if bound.steps == ("id",)]

    assert implied == [Comparison(("id",), *bound) for bound in expected]


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("SELECT c.x FROM c GROUP BY c.x", "GROUP BY"),
        ("SELECT c.x ?? 1 FROM c", "The operator ?"),
        ("SELECT (c.x ? 1 : 2) FROM c", "The operator ?"),
        ("SELECT c.x || 'y' FROM c", "The operator |"),
        ("SELECT ~c.x FROM c", "The operator ~"),
        ("SELECT * FROM c ORDER BY RANK FullTextScore(c.x, 'y')", "ORDER BY RANK"),
    ],
)
def test_unsupported_parts_are_told_apart(query: str, part: str) -> None:
    """From what is wrong in the service as well."""
    with pytest.raises(UnsupportedQueryError, match=re.escape(f"{part} is not supported")):
        parse(query)


def test_a_document_may_be_called_rank() -> None:
    """The word is a keyword only where no path begins with it."""
    query = parse("SELECT * FROM rank ORDER BY rank.x")

    assert query.tree.order
