"""The fourth stage: validated queries, which can be run."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from local.cosmos.query.aggregates import AGGREGATES
from local.cosmos.query.compiling import Compiler, validate
from local.cosmos.query.parser import parse_tree
from local.cosmos.query.sorting import RowPosition, Sorting
from local.cosmos.query.tree import Literal, calls
from local.cosmos.query.values import UNDEFINED, canonical_text, sort_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from local.cosmos.query.sorting import Row
    from local.cosmos.query.tree import Call, Select

    Document = dict[str, Any]
    Numbered = tuple[int, Document]


class Window(NamedTuple):
    """The rows to return of the sorted result.

    Attributes:
        skip: The number of rows to skip.
        remaining: The number of rows to return after these, None for all.
    """

    skip: int
    remaining: int | None


class Query:
    """A query that can be run.

    Attributes:
        tree: The syntax tree.
        aggregates: The selected aggregates.
        is_distinct: Whether equal results are one row.

    Raises:
        QueryError: If a function has a wrong number of arguments.
        UnsupportedQueryError: If a part is not supported.
    """

    def __init__(self, tree: Select) -> None:
        self.tree = tree
        columns = [column.expression for column in tree.columns or ()]
        self.aggregates: list[Call] = [
            call for expression in columns for call in calls(expression, AGGREGATES)
        ]
        for expression in columns:
            validate(expression, aggregated=bool(self.aggregates))
        if tree.where is not None:
            validate(tree.where)
        self.is_distinct = tree.distinct and not self.aggregates

    @property
    def is_plain(self) -> bool:
        """Whether the results are all documents without changes."""
        tree = self.tree
        return tree.columns is None and tree.where is None and self.is_streamed

    @property
    def is_streamed(self) -> bool:
        """Whether each row depends on one document, so that rows follow the order of documents."""
        return not (self.tree.order or self.is_reduced)

    @property
    def is_reduced(self) -> bool:
        """Whether several documents can result in one row."""
        return self.is_distinct or bool(self.aggregates)

    @property
    def counts_all(self) -> bool:
        """Whether the result is the number of all documents."""
        counts = [
            call
            for call in self.aggregates
            if call.name == "COUNT" and isinstance(call.arguments[0], Literal)
        ]
        return bool(counts) and counts == self.aggregates and self.tree.where is None

    @property
    def is_pageable(self) -> bool:
        """Whether the query can be resumed after a page, because equal results have equal keys."""
        columns = self.tree.columns
        selected = [column.expression for column in columns or ()]
        paths = [item.path for item in self.tree.order]
        return not self.is_distinct or columns is None or all(path in selected for path in paths)

    def window(self, parameters: Mapping[str, Any]) -> Window:
        """Return the rows that TOP, or OFFSET and LIMIT, select.

        Raises:
            QueryError: If they are not whole numbers.
        """
        count = Compiler(parameters).count
        limit = self.tree.top or self.tree.limit
        return Window(
            skip=0 if self.tree.offset is None else count(self.tree.offset),
            remaining=None if limit is None else count(limit),
        )

    def run(self, documents: Iterable[Document], parameters: Mapping[str, Any]) -> Iterator[Any]:
        """Return the results in their order.

        Raises:
            QueryError: If a parameter is missing, or TOP, OFFSET or LIMIT is not a number.
        """
        skip, remaining = self.window(parameters)
        rows = self.rows(enumerate(documents), parameters)
        return (
            result
            for _, result in islice(rows, skip, None if remaining is None else skip + remaining)
        )

    def rows(
        self,
        documents: Iterable[Numbered],
        parameters: Mapping[str, Any],
        *,
        after: RowPosition | None = None,
        presorted: bool = False,
    ) -> Iterator[Row]:
        """Return the rows of the result with their positions, before TOP, OFFSET and LIMIT.

        Args:
            documents: The documents, each with a number that breaks ties between equal sort keys.
            parameters: The values of the parameters.
            after: The position after which to start, None for all rows.
            presorted: Whether the documents start after `after` and have the order of the result.

        Raises:
            QueryError: If a parameter is missing.
        """
        compiler = Compiler(parameters)
        documents = self._matching(documents if self.tree.source else [(0, {})], compiler)
        if self.aggregates:
            compiler.aggregate(self.aggregates, (document for _, document in documents))
            documents = [(0, {})]
        project = self._projection(compiler)
        if self.is_streamed or self.aggregates or presorted:
            rows = ((RowPosition((), number), project(document)) for number, document in documents)
            return (row for row in rows if row[1] is not UNDEFINED)
        return self._sorted(documents, project, compiler, after)

    def _matching(self, documents: Iterable[Numbered], compiler: Compiler) -> Iterable[Numbered]:
        if self.tree.where is None:
            return documents
        holds = compiler.compile(self.tree.where)
        return (numbered for numbered in documents if holds(numbered[1]) is True)

    def _projection(self, compiler: Compiler) -> Callable[[Any], Any]:
        """Return a function that computes the result of a document, undefined if it has none."""
        columns = self.tree.columns
        if columns is None:
            return lambda document: document
        compiled = [(column.name, compiler.compile(column.expression)) for column in columns]
        if self.tree.value:
            return compiled[0][1]

        def project(document: object) -> dict[str, Any]:
            values = {name: compute(document) for name, compute in compiled}
            return {name: value for name, value in values.items() if value is not UNDEFINED}

        return project

    def _sorted(
        self,
        documents: Iterable[Numbered],
        project: Callable[[Any], Any],
        compiler: Compiler,
        after: RowPosition | None,
    ) -> Iterator[Row]:
        order = self.tree.order
        values = [compiler.compile(item.path) for item in order]
        rows = [
            (RowPosition(tuple(sort_key(value(document)) for value in values), number), document)
            for number, document in documents
        ]
        sorting = Sorting(tuple(item.descending for item in order))
        sorting.sort(rows)
        if self.is_distinct:
            rows, project = _distinct(rows, project), lambda result: result
            if self.is_pageable:
                sorting.sort(rows)
        if after is not None:
            rows = sorting.after(rows, after)
        projected = ((position, project(document)) for position, document in rows)
        return (row for row in projected if row[1] is not UNDEFINED)


@lru_cache(maxsize=256)
def parse(text: str) -> Query:
    """Return the query for a text.

    Raises:
        QuerySyntaxError: If the text is not a query.
        QueryError: If the query contradicts itself.
        UnsupportedQueryError: If a part is not supported.
    """
    return Query(parse_tree(text))


def _distinct(rows: list[Row], project: Callable[[Any], Any]) -> list[Row]:
    """Return the first row of each result, with the hash of the result as tie-breaker.

    A page can thus continue after the previous one and repeat no result, whatever is written.
    """
    distinct: dict[str, Row] = {}
    for position, document in rows:
        result = project(document)
        if result is not UNDEFINED:
            digest = hashlib.sha256(canonical_text(result).encode()).hexdigest()[:32]
            distinct.setdefault(digest, (RowPosition(position.keys, digest), result))
    return list(distinct.values())
