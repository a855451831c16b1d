"""A query as the .NET SDK runs it: its recorded requests, and the merging that it does."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

from local.cosmos.query.values import canonical_text, sort_key
from tests.integration.cosmos.raw import Raw

_RECORDED = Path(__file__).parents[3] / "fixtures" / "trigger-wire.ndjson"
_FILTER = "{documentdb-formattableorderbyquery-filter}"


def _headers(line: int) -> dict[str, str]:
    recorded = json.loads(_RECORDED.read_text(encoding="utf-8").splitlines()[line - 1])
    return {name: text for name, text in recorded["headers"].items() if name != "content-length"}


PLAN, QUERY = _headers(4), _headers(7)


async def run(
    raw: Raw, container: str, query: dict[str, Any], page_size: int, key: str | None
) -> list[Any]:
    """Return the results: a plan, one query for each physical partition, and their merging."""
    link = f"/dbs/db/colls/{container}"
    one_key = {} if key is None else {"x-ms-documentdb-partitionkey": json.dumps([key])}
    plan = await raw.send("POST", f"{link}/docs", query, {**PLAN, **one_key})
    assert plan.status == 200, plan.body
    info, ranges = plan.body["queryInfo"], plan.body["queryRanges"]
    text = info["rewrittenQuery"].replace(_FILTER, "true") or query["query"]
    pages = {**QUERY, **one_key, "x-ms-max-item-count": str(page_size)}
    rows: list[Any] = []
    for partition in (await raw.send("GET", f"{link}/pkranges")).body["PartitionKeyRanges"]:
        if any(_overlaps(partition, keys) for keys in ranges):
            headers = {**pages, "x-ms-documentdb-partitionkeyrangeid": partition["id"]}
            rows += await _rows(raw, link, {**query, "query": text}, headers)
    return merged(info, rows)


def _overlaps(partition: dict[str, Any], keys: dict[str, Any]) -> bool:
    low, high = partition["minInclusive"], partition["maxExclusive"]
    is_below = low < keys["max"] or (keys["isMaxInclusive"] and low == keys["max"])
    return bool(keys["min"] < high and is_below)


async def _rows(raw: Raw, link: str, query: dict[str, Any], headers: dict[str, str]) -> list[Any]:
    rows: list[Any] = []
    while True:
        reply = await raw.send("POST", f"{link}/docs", query, headers)
        assert reply.status == 200, reply.body
        assert len(reply.body["Documents"]) <= int(headers["x-ms-max-item-count"])
        rows += reply.body["Documents"]
        if "x-ms-continuation" not in reply.headers:
            return rows
        headers = {**headers, "x-ms-continuation": reply.headers["x-ms-continuation"]}


def merged(info: dict[str, Any], rows: list[Any]) -> list[Any]:
    """Return the result of rows that come partition after partition, each in its order."""
    for nth, direction in reversed(list(enumerate(info["orderBy"]))):
        keyed = [(sort_key(row["orderByItems"][nth].get("item")), row) for row in rows]
        keyed.sort(key=lambda pair: pair[0], reverse=direction == "Descending")
        rows = [row for _, row in keyed]
    if info["orderBy"]:
        rows = [row["payload"] for row in rows]
    if info["aggregates"]:
        values = (_aggregate(operator, [row[0] for row in rows]) for operator in info["aggregates"])
        rows = [value for value in values if value is not None]
    if info["groupByAliases"]:
        values_by_alias = {
            alias: _aggregate(operator, [row["payload"][alias] for row in rows])
            for alias, operator in info["groupByAliasToAggregateType"].items()
        }
        rows = [{name: value for name, value in values_by_alias.items() if value is not None}]
    if info["distinctType"] != "None":
        first = {canonical_text(row): row for row in reversed(rows)}
        rows = [first[text] for text in dict.fromkeys(map(canonical_text, rows))]
    most = info["limit"] if info["top"] is None else info["top"]
    start = info["offset"] or 0
    return list(islice(rows, start, None if most is None else start + most))


def _aggregate(operator: str, partials: list[Any]) -> Any:
    if operator == "Average":
        total = sum(partial["item"]["sum"] for partial in partials)
        count = sum(partial["item"]["count"] for partial in partials)
        return total / count if count else None
    if operator in {"Min", "Max"}:
        counted = [partial["item2"] for partial in partials if partial["item2"]["count"]]
        choose = min if operator == "Min" else max
        values = [partial[operator.lower()] for partial in counted]
        return choose(values, key=sort_key) if values else None
    return sum(partial["item"] for partial in partials)
