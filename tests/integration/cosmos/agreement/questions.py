"""Documents and queries of the language, for Hypothesis, and what a result must be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from local.cosmos.partitions import partition_key
from local.cosmos.query import Query, parse
from local.cosmos.query.values import canonical_text

KEYS = ["a", "b", "c", "d"]
NUMBERS = [-3, -1.5, 2, 2.0, 7]
TEXTS = ["B", "a", "ab", "é'\"\\"]
TRUTHS = [True, 2, "a", [2, "a"], {"a": None}]
ANYTHING = [*TRUTHS, None, False, 0, "", [], {}]

documents = st.lists(
    st.fixed_dictionaries(
        {"pk": st.sampled_from(KEYS), "n": st.sampled_from(NUMBERS), "s": st.sampled_from(TEXTS)},
        optional={"x": st.sampled_from(ANYTHING), "y": st.sampled_from(TRUTHS)},
    ),
    max_size=12,
)
"""`n` and `s` have one type in all documents: SDKs do not merge mixed types. Neither has a value
that an SDK takes for another one (true for 1) or, like `y`, for none (null, 0)."""

COMPOSITES = [
    [{"path": first, "order": "ascending"}, {"path": "/n", "order": order}]
    for first in ("/s", "/_ts")
    for order in ("ascending", "descending")
]
"""The indexes for the queries that order by two paths."""

_conditions = st.recursive(
    st.sampled_from(
        [
            *("c.n > @n", "c.n <= @n", "c.n % 2 = 1", "c.n * 2 + 1 > 5", "c.n BETWEEN -2 AND @n"),
            *("c.s = @s", "c.s != 'a'", "STARTSWITH(c.s, 'a')", "CONTAINS(UPPER(c.s), 'B')"),
            *("IS_DEFINED(c.x)", "c.x = @x", "c.x = [2, 'a']", "IS_STRING(c.x)", "IS_NULL(c.x)"),
            *("c.id >= 'i1'", "STARTSWITH(c.id, 'i1')", "c.id IN ('i0', 'i2')", "c._ts > 0"),
            *("c.pk = 'a'", "c.pk IN ('a', 'b')", "c.pk = @key OR c.pk = 'b'", "c.pk > 'b'"),
        ]
    ),
    lambda inner: st.one_of(
        inner.map("NOT ({})".format),
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(
            lambda parts: f"({' '.join(parts)})"
        ),
    ),
    max_leaves=3,
)
_where = st.one_of(st.just(""), _conditions.map("WHERE {}".format))
_direction = st.sampled_from(["", " ASC", " DESC"])
_window = st.one_of(
    st.just(("", "")),
    st.sampled_from(["0", "1", "4", "@top"]).map(lambda count: (f"TOP {count} ", "")),
    st.tuples(st.integers(0, 5), st.integers(0, 5)).map(
        lambda counts: ("", "OFFSET {} LIMIT {}".format(*counts))
    ),
)


@dataclass(frozen=True)
class Question:
    """A query and how it is asked.

    Attributes:
        key: The partition key that the request names, None for none.
    """

    text: str
    parameters: dict[str, Any]
    page_size: int
    key: str | None

    @property
    def body(self) -> dict[str, Any]:
        """The query as requests have it."""
        parameters = [{"name": name, "value": value} for name, value in self.parameters.items()]
        return {"query": self.text, "parameters": parameters}

    @property
    def has_aggregates(self) -> bool:
        """Whether aggregates are selected."""
        return bool(parse(self.text).aggregates)

    @property
    def is_value(self) -> bool:
        """Whether bare values are selected."""
        return parse(self.text).tree.value

    @property
    def is_one_order(self) -> bool:
        """Whether the rows are ordered by one path, and nothing else changes them."""
        query = parse(self.text)
        is_windowed = query.tree.top or query.tree.offset
        return len(query.tree.order) == 1 and not query.is_reduced and not is_windowed


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """Return queries of the covered language, of those that SDKs merge rightly."""
    kind = draw(st.sampled_from(["rows", "rows", "distinct", "aggregate"]))
    top, offset = draw(_window)
    columns, paths = {"rows": _rows, "distinct": _distinct, "aggregate": _aggregate}[kind](draw)
    key = draw(st.sampled_from([None, None, "a"]))
    if kind == "distinct" and "c._ts" in paths:  # refused inside a partition
        key = None
    directions = [f"{path}{draw(_direction)}" for path in paths]
    order = f"ORDER BY {', '.join(directions)}" if directions else ""
    distinct = "DISTINCT " if kind == "distinct" else ""
    selected = f"SELECT {distinct}{top}{columns}"
    text = f"{selected} FROM c {draw(_where)} {order} {offset}"
    parameters = {"@n": 2, "@s": "a", "@x": draw(st.sampled_from(ANYTHING)), "@key": "c", "@top": 3}
    return Question(
        text=" ".join(text.split()),
        parameters=parameters,
        page_size=draw(st.integers(1, 4)),
        key=key,
    )


def _rows(draw: st.DrawFn) -> tuple[str, list[str]]:
    columns = [
        "*",
        "VALUE c.id",
        "c.id, c.n AS number",
        "c",
        "VALUE c.y",
        "VALUE [c.s, {'x': c.x}]",
    ]
    paths = [[], [], ["c.n"], ["c.s"], ["c.id"], ["c._ts", "c.n"], ["c.s", "c.n"]]
    return draw(st.sampled_from(columns)), draw(st.sampled_from(paths))


def _distinct(draw: st.DrawFn) -> tuple[str, list[str]]:
    columns = {"VALUE c.n": ["c.n"], "VALUE c.s": ["c.s"], "c.s, c.n": ["c.s", "c.n"]}
    selected = draw(st.sampled_from(sorted(columns)))
    return selected, draw(st.sampled_from([[], columns[selected], ["c._ts", "c.n"]]))


def _aggregate(draw: st.DrawFn) -> tuple[str, list[str]]:
    values = ["COUNT(1)", "COUNT(c.x)", "SUM(c.n)", "AVG(c.n)", "MIN(c.s)", "MAX(c.n + 1)"]
    return draw(
        st.sampled_from([*(f"VALUE {value}" for value in values), "COUNT(1) AS k, MAX(c.s) AS m"])
    ), []


def check(
    question: Question,
    items: list[dict[str, Any]],
    bounds: list[str],
    results: list[Any],
    *,
    in_order: bool = True,
) -> None:
    """Check results against the plain evaluation over all documents.

    Args:
        question: What was asked.
        items: All documents, in the order of their creation.
        bounds: The lower bounds of the physical partitions.
        results: What a client answered.
        in_order: Whether the client takes the physical partitions one after another.
    """
    query = parse(question.text)
    ties_descend = any(ordered.descending for ordered in query.tree.order[:1])

    def partition(item: dict[str, Any]) -> int:
        nth = sum(bound <= partition_key(item["pk"]).epk for bound in bounds)
        return -nth if ties_descend else nth  # equal items of the first partition come first

    seen = sorted((item for item in items if question.key in {None, item["pk"]}), key=partition)
    expected = list(query.run(seen, question.parameters))
    if query.tree.order or (in_order and not query.is_distinct):
        is_right = [*map(canonical_text, results)] == [*map(canonical_text, expected)]
        assert is_right, f"{question} gave {results}, not {expected}"
        return
    everything = Query(replace(query.tree, top=None, offset=None, limit=None))
    available = Counter(map(canonical_text, everything.run(seen, question.parameters)))
    is_right = Counter(map(canonical_text, results)) <= available and len(results) == len(expected)
    assert is_right, f"{question} gave {results}, not {expected}"
