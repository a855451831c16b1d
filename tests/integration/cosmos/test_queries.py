"""Queries over the wire: plans, what is rejected without one, pages, and what they cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from local.cosmos.partitions import effective_partition_key
from tests.integration.cosmos.raw import BATCH, ITEMS, QUERY, A, Raw, Reply

PLAN = {
    "content-type": "application/query+json",
    "x-ms-cosmos-is-query-plan-request": "True",
    "x-ms-cosmos-supported-query-features": "Aggregate, Distinct, OffsetAndLimit, OrderBy, Top",
}
PARTITION, CONTINUATION = "x-ms-documentdb-partitionkeyrangeid", "x-ms-continuation"
FILTER = "{documentdb-formattableorderbyquery-filter}"
WHOLE = {"min": "", "max": "FF", "isMinInclusive": True, "isMaxInclusive": False}


def point(key: str) -> dict[str, Any]:
    hashed = effective_partition_key(key)
    return {"min": hashed, "max": hashed, "isMinInclusive": True, "isMaxInclusive": True}


async def ask(raw: Raw, query: str, headers: Mapping[str, str] | None = None) -> Reply:
    return await raw.send("POST", ITEMS, {"query": query}, {**QUERY, **(headers or {})})


async def results(raw: Raw, query: str, headers: Mapping[str, str]) -> list[Any]:
    """All results of a query, page by page."""
    rows: list[Any] = []
    reply = await ask(raw, query, headers)
    while True:
        assert reply.status == 200, reply.body
        rows += reply.body["Documents"]
        if CONTINUATION not in reply.headers:
            return rows
        reply = await ask(raw, query, {**headers, CONTINUATION: reply.headers[CONTINUATION]})


def one_key(key: str) -> dict[str, str]:
    return {"x-ms-documentdb-partitionkey": json.dumps([key])}


async def put(raw: Raw, item_id: str, key: str = "a", **more: Any) -> None:
    headers = {**one_key(key), "x-ms-documentdb-is-upsert": "true"}
    reply = await raw.send("POST", ITEMS, {"id": item_id, "pk": key, **more}, headers)
    assert reply.status in {200, 201}


async def remove(raw: Raw, item_id: str) -> None:
    assert (await raw.send("DELETE", f"{ITEMS}/{item_id}", headers=A)).status == 204


@pytest.mark.parametrize(
    ("condition", "ranges"),
    [
        ("", [WHOLE]),
        ("WHERE c.n = 1 OR c.pk = 'a'", [WHOLE]),
        ("WHERE c.pk = 'a' AND c.n = 1", [point("a")]),
        (
            "WHERE c.pk IN ('a', 'b')",
            sorted([point("a"), point("b")], key=lambda keys: keys["min"]),
        ),
        (
            "WHERE c.pk = 'a' AND c.pk = 'b'",
            [{"min": "", "max": "", "isMinInclusive": True, "isMaxInclusive": True}],
        ),
    ],
)
async def test_a_plan_names_the_keys_that_a_query_concerns(
    raw: Raw, condition: str, ranges: list[dict[str, Any]]
) -> None:
    """As ranges of effective partition keys."""
    query = f"SELECT TOP 1 * FROM c {condition}"  # noqa: S608 - of constants

    reply = await raw.send("POST", ITEMS, {"query": query}, PLAN)

    assert reply.status == 200
    assert reply.body["queryRanges"] == ranges
    assert reply.body["partitionedQueryExecutionInfoVersion"] == 2
    assert reply.body["queryInfo"]["top"] == 1


async def test_a_plan_needs_a_client_that_can_merge(raw: Raw) -> None:
    """Each missing feature is named."""
    reply = await raw.send("POST", ITEMS, {"query": "SELECT COUNT(1) FROM c"}, PLAN)

    assert (reply.status, reply.sub_status) == (400, 0)
    assert "Query contained NonValueAggregate" in reply.body["message"]


@pytest.mark.parametrize("cosmos_options", [{"partitions": 1}, {"partitions": 4}], ids=str)
@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM c ORDER BY c.n",
        "SELECT TOP 1 * FROM c",
        "SELECT * FROM c WHERE c.pk IN ('a', 'b') OFFSET 0 LIMIT 1",
        "SELECT VALUE COUNT(1) FROM c",
        "SELECT DISTINCT c.n FROM c",
        "SELECT DISTINCT c.n FROM c WHERE c.pk = 'a'",
    ],
)
async def test_what_must_be_merged_is_rejected_with_its_plan(raw: Raw, query: str) -> None:
    """However many partitions there are now, as by the service's gateway."""
    planned = await raw.send("POST", ITEMS, {"query": query}, PLAN)

    reply = await ask(raw, query)

    assert (reply.status, reply.sub_status) == (400, 1004)
    assert json.loads(reply.body["additionalErrorInfo"]) == planned.body
    assert (await ask(raw, query, A)).status == 200
    assert (await ask(raw, query, {PARTITION: "0"})).status == 200


async def test_equal_results_in_another_order_are_left_to_the_client(raw: Raw) -> None:
    """Pages of one partition could not tell what came before them: there it is rejected."""
    query = "SELECT DISTINCT c.x FROM c ORDER BY c.n"

    planned = await ask(raw, query)
    rewritten = json.loads(planned.body["additionalErrorInfo"])["queryInfo"]["rewrittenQuery"]

    for scope in (A, {PARTITION: "0"}):
        refused = await ask(raw, query, scope)
        assert (refused.status, refused.sub_status) == (400, 0)
        assert "a path that is not selected" in refused.body["message"]
        assert (await ask(raw, rewritten.replace(FILTER, "true"), scope)).status == 200


async def test_a_fixed_partition_key_needs_no_flag(raw: Raw) -> None:
    """Nor a header: its one physical partition runs everything but DISTINCT and some aggregates."""
    await put(raw, "1", "a", n=1)
    await put(raw, "2", "a", n=2)
    no_flag = {"x-ms-documentdb-query-enablecrosspartition": "false"}

    for query, expected in [
        ("SELECT VALUE c.id FROM c WHERE c.pk = 'a' ORDER BY c.n DESC", ["2", "1"]),
        ("SELECT VALUE COUNT(1) FROM c WHERE c.pk = 'a'", [2]),
        ("SELECT VALUE c.id FROM c WHERE c.pk = 'a' AND c.pk = 'b'", []),
        ("SELECT VALUE 1", [1]),
    ]:
        reply = await ask(raw, query, no_flag)
        assert (reply.status, reply.body["Documents"]) == (200, expected)
    refused = await ask(raw, "SELECT * FROM c WHERE c.pk IN ('a', 'b')", no_flag)
    assert (refused.status, refused.sub_status) == (400, 0)
    assert "additionalErrorInfo" in refused.body


async def test_an_aggregate_without_value_needs_a_plan_or_a_partition_key_header(raw: Raw) -> None:
    """The official SDK's tests record that a partition key in WHERE does not suffice."""
    query = "SELECT COUNT(1) FROM c WHERE c.pk = 'a'"

    refused, answered = await ask(raw, query), await ask(raw, query, A)

    assert (refused.status, refused.sub_status) == (400, 1004)
    assert answered.body["Documents"] == [{"$1": 0}]


async def test_plain_queries_go_from_partition_to_partition(raw: Raw) -> None:
    """A page is of one physical partition; its continuation tells the range and what is left."""
    for number in range(12):
        await put(raw, str(number), f"k{number}")

    reply = await ask(raw, "SELECT VALUE c.pk FROM c")

    assert all(effective_partition_key(key)[0] == "0" for key in reply.body["Documents"])
    (rest,) = json.loads(reply.headers[CONTINUATION])
    assert rest == {"token": None, "range": {"min": "0" + "F" * 31, "max": "FF"}}
    assert sorted(await results(raw, "SELECT VALUE c.pk FROM c", {})) == sorted(
        f"k{number}" for number in range(12)
    )
    several = "SELECT VALUE c.pk FROM c WHERE c.pk IN ('k1', 'k2', 'k3')"
    assert sorted(await results(raw, several, {})) == ["k1", "k2", "k3"]


@pytest.mark.parametrize("cosmos_options", [{"partitions": 2}], ids=str)
@pytest.mark.parametrize("query", ["SELECT VALUE c.pk FROM c", "listing"])
async def test_a_split_between_pages_loses_and_repeats_nothing(raw: Raw, query: str) -> None:
    """Each child goes on where its parent was left."""
    for number in range(30):
        await put(raw, str(number), f"k{number}")

    async def page(headers: Mapping[str, str]) -> Reply:
        if query == "listing":
            return await raw.send("GET", ITEMS, headers=headers)
        return await ask(raw, query, headers)

    rows: list[Any] = []
    headers = {"x-ms-max-item-count": "4"}
    for turn in range(100):
        reply = await page(headers)
        assert reply.status == 200
        documents = reply.body["Documents"]
        rows += [item if isinstance(item, str) else item["pk"] for item in documents]
        if CONTINUATION not in reply.headers:
            break
        headers[CONTINUATION] = reply.headers[CONTINUATION]
        if turn in {0, 3}:
            split = f"{raw.endpoint}_local/split?container=db/items"
            async with raw.session.post(split) as answer:
                assert answer.status == 200

    assert sorted(rows) == sorted(f"k{number}" for number in range(30))


async def index(raw: Raw, **policy: Any) -> None:
    definition = (await raw.send("GET", "/dbs/db/colls/items")).body
    definition["indexingPolicy"] = {"includedPaths": [{"path": "/*"}], **policy}
    assert (await raw.send("PUT", "/dbs/db/colls/items", definition)).status == 200


@pytest.mark.parametrize(
    ("order", "status"),
    [
        ("c.id", 200),
        ("c._ts DESC", 200),
        ("c.a", 400),
        ("c.a.kept", 200),
        ("c.n, c.g DESC", 200),
        ("c.n DESC, c.g", 200),
        ("c.n, c.g", 400),
        ("c.g DESC, c.n", 400),
        ("c.n, c.g DESC, c.id", 400),
    ],
)
async def test_an_order_needs_an_index(raw: Raw, order: str, status: int) -> None:
    """The service sorts by nothing that its indexes do not have in that order."""
    await index(
        raw,
        includedPaths=[{"path": "/*"}, {"path": "/a/kept/?"}],
        excludedPaths=[{"path": "/a/*"}],
        compositeIndexes=[[{"path": "/n"}, {"path": "/g", "order": "descending"}]],
    )

    reply = await ask(raw, f"SELECT * FROM c ORDER BY {order}", A)  # noqa: S608 - of constants

    assert reply.status == status
    assert ("index" in str(reply.body.get("message"))) == (status == 400)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT VALUE c.id FROM c ORDER BY c.n", "a b d late e f"),
        ("SELECT VALUE c.id FROM c ORDER BY c.n DESC", "f e late d b a early"),
        ("SELECT VALUE c.id FROM c ORDER BY c.id", "a b d e early f late"),
        ("SELECT VALUE c.id FROM c ORDER BY c.id DESC", "f e d b a"),
        ("SELECT VALUE c.id FROM c ORDER BY c.g, c.n DESC", "c b a early late f e"),
        ("SELECT TOP 4 VALUE c.id FROM c ORDER BY c.n", "a b d late"),
        ("SELECT VALUE c.id FROM c ORDER BY c.n OFFSET 1 LIMIT 3", "b c late"),
        ("SELECT VALUE c.id FROM c OFFSET 1 LIMIT 4", "b c e f"),
        ("SELECT TOP 5 VALUE c.id FROM c", "a b d e f"),
        ("SELECT VALUE c.id FROM c", "a b d e f early late"),
    ],
)
async def test_pages_go_on_behind_the_last_row(raw: Raw, query: str, expected: str) -> None:
    """What is written between two pages shifts nothing: no row is lost or comes twice."""
    await index(raw, compositeIndexes=[[{"path": "/g"}, {"path": "/n", "order": "descending"}]])
    for number, name in enumerate("abcdef"):
        await put(raw, name, n=number, g=number // 3)
    headers = {**A, "x-ms-max-item-count": "2"}

    first = await ask(raw, query, headers)
    seen = first.body["Documents"]
    assert len(seen) == 2
    await put(raw, "early", n=-1, g=0)  # before all others, or behind what was returned
    await put(raw, "late", n=3.5, g=0.5)
    await remove(raw, next(name for name in "cd" if name not in seen))
    rest = {**headers, CONTINUATION: first.headers[CONTINUATION]}
    rows = seen + await results(raw, query, rest)

    assert rows == expected.split()


async def test_equal_results_come_once_whatever_is_written(raw: Raw) -> None:
    """Also where the item that gave a result has another value by now."""
    for number in range(40):
        await put(raw, str(number), x=number % 20)
    query = "SELECT DISTINCT VALUE c.x FROM c"
    headers = {**A, "x-ms-max-item-count": "5"}

    first = await ask(raw, query, headers)
    seen = first.body["Documents"]
    unseen = next(number for number in range(20) if number not in seen)
    for number in range(40):
        if number % 20 == seen[0]:
            await put(raw, str(number), x=unseen)
    rows = seen + await results(raw, query, {**headers, CONTINUATION: first.headers[CONTINUATION]})

    assert sorted(rows) == list(range(20))


async def test_the_dotnet_sdk_resumes_an_order_by_a_condition(raw: Raw) -> None:
    """It puts one into the rewritten query: what is higher, and all types that come later."""
    for number, value in enumerate([None, True, 1, 2.5, "a", [1], {"a": 1}]):
        await put(raw, str(number), x=value)
    rewritten = (
        'SELECT c._rid, [{"item": c.x}] AS orderByItems, c.id AS payload FROM c WHERE '
        "((( c.x >= 2 OR IS_STRING(c.x) OR IS_ARRAY(c.x) OR IS_OBJECT(c.x) )) "
        "AND IS_DEFINED(c.id)) ORDER BY c.x"
    )

    rows = await results(raw, rewritten, {**A, "x-ms-max-item-count": "2"})

    assert [row["payload"] for row in rows] == ["3", "4", "5", "6"]
    assert rows[1]["orderByItems"] == [{"item": "a"}]


@pytest.mark.parametrize("order", ["", "ORDER BY c.id DESC"])
async def test_a_page_reads_so_many_documents_and_no_more(
    raw: Raw, order: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be empty; the next one goes on behind what was read."""
    monkeypatch.setattr("local.cosmos.pages._MAX_DOCUMENTS_READ", 3)
    for number in range(8):
        await put(raw, str(number), n=number)
    query = f"SELECT VALUE c.n FROM c WHERE c.n IN (3, 4) {order}"  # noqa: S608 - of constants

    first = await ask(raw, query, A)
    rest = await results(raw, query, {**A, CONTINUATION: first.headers[CONTINUATION]})

    assert sorted(first.body["Documents"] + rest) == [3, 4]
    assert len(first.body["Documents"]) == 0
    assert float(first.headers["x-ms-request-charge"]) == 2.89


@pytest.mark.parametrize(
    ("token", "query"),
    [
        ("x", "SELECT * FROM c"),
        ("1", "SELECT * FROM c"),
        ("[[[],1],0]", "SELECT * FROM c"),
        ("[[[[4,5]],1],0,null]", "SELECT * FROM c ORDER BY c.n"),
        ("[[[],1],0,null]", "SELECT * FROM c ORDER BY c.n"),
        ("[[[],1],0,null]", "SELECT DISTINCT * FROM c"),
        ('[[[],"x"],0,null]', "SELECT * FROM c"),
    ],
)
async def test_a_token_of_another_query_is_rejected(raw: Raw, token: str, query: str) -> None:
    """Never taken for a place in this one."""
    assert (await ask(raw, query, {**A, CONTINUATION: token})).status == 400
    assert (await ask(raw, "SELECT * FROM c", {CONTINUATION: token})).status == 400


async def test_a_page_that_ends_at_a_huge_value_is_rejected(raw: Raw) -> None:
    """A continuation must fit into a header."""
    await put(raw, "1", x="x" * 7000)
    await put(raw, "2", x="y")

    reply = await ask(raw, "SELECT * FROM c ORDER BY c.x", {**A, "x-ms-max-item-count": "1"})

    assert reply.status == 400
    assert "too long for a continuation token" in reply.body["message"]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT TOP 1 c.id, c.n FROM c WHERE c.id >= 'n0' AND c.id < 'n:' ORDER BY c.id DESC",
        "SELECT c.id, c.n FROM c WHERE STARTSWITH(c.id, 'n000000000999')",
        "SELECT c.id, c.n FROM c WHERE c.id = 'n000000000999'",
        "SELECT TOP 1 c.id, c.n FROM c ORDER BY c.id DESC",
        "SELECT TOP 1 c.id, c.n FROM c WHERE c._ts > 0 ORDER BY c._ts DESC",
    ],
)
@pytest.mark.parametrize("scope", [A, {PARTITION: "3"}], ids=["key", "partition"])
async def test_ranges_cost_what_they_return(raw: Raw, query: str, scope: dict[str, str]) -> None:
    """Not what they pass: the newest of 1,000 events costs as much as the only one."""
    key = next(
        f"k{number}" for number in range(99) if effective_partition_key(f"k{number}")[0] == "3"
    )
    for first in range(0, 1000, 100):
        bodies = [
            {"id": f"n{number:012}", "pk": key, "n": number} for number in range(first, first + 100)
        ]
        operations = [{"operationType": "Create", "resourceBody": body} for body in bodies]
        assert (await raw.send("POST", ITEMS, operations, {**BATCH, **one_key(key)})).status == 200

    reply = await ask(raw, query, one_key(key) if scope is A else scope)

    assert reply.body["Documents"] == [{"id": "n000000000999", "n": 999}]
    assert 2.83 <= float(reply.headers["x-ms-request-charge"]) <= 3.19


async def test_query_metrics_tell_what_was_read(raw: Raw) -> None:
    """For clients that ask; what is not measured here is not reported."""
    for number in range(4):
        await put(raw, str(number), n=number)
    asked = {**A, "x-ms-documentdb-populatequerymetrics": "True"}

    reply = await ask(raw, "SELECT VALUE c.n FROM c WHERE c.n > 1", asked)

    fields = dict(
        field.split("=") for field in reply.headers["x-ms-documentdb-query-metrics"].split(";")
    )
    assert (fields["retrievedDocumentCount"], fields["outputDocumentCount"]) == ("4", "2")
    assert (fields["outputDocumentSize"], float(fields["totalExecutionTimeInMs"]) > 0) == (
        "2",
        True,
    )
    assert int(fields["retrievedDocumentSize"]) > 400
    assert "x-ms-documentdb-query-metrics" not in (await ask(raw, "SELECT * FROM c", A)).headers


async def test_a_count_of_everything_reads_nothing(raw: Raw) -> None:
    """An index answers it, at the price of a query that finds nothing."""
    for number in range(4):
        await put(raw, str(number))
    asked = {**A, "x-ms-documentdb-populatequerymetrics": "True"}

    reply = await ask(raw, "SELECT VALUE COUNT(1) FROM c", asked)

    assert reply.body["Documents"] == [4]
    assert float(reply.headers["x-ms-request-charge"]) < 2.9
    metrics = reply.headers["x-ms-documentdb-query-metrics"]
    assert "retrievedDocumentCount=0;" in metrics
    assert metrics.endswith("indexUtilizationRatio=1.00")
    some = await ask(raw, "SELECT VALUE COUNT(1) FROM c WHERE c.id != '0'", asked)
    assert "retrievedDocumentCount=4;" in some.headers["x-ms-documentdb-query-metrics"]
