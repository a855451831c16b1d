from __future__ import annotations

from collections import deque

import pytest

from core.batching import LOOSE, MAX_BYTES, OPERATION_BYTES, fitting, plan
from core.outputs import Write
from tests.support import Blame


def write(stream: str, number: int, size: int = 100) -> Write:
    return Write(stream_id=stream, id=str(number), body=b"x" * size, source=Blame())


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, []), (1, [1]), (99, [99]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])],
)
def test_a_batch_has_at_most_100_operations(count: int, expected: list[int]) -> None:
    """Cosmos DB takes no more."""
    planned = plan((write("s", number) for number in range(count)), bulk=False).batched

    assert [len(batch.writes) for batches in planned for batch in batches] == expected


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        pytest.param([MAX_BYTES - OPERATION_BYTES], [1], id="one fills a batch"),
        pytest.param([MAX_BYTES // 2 - OPERATION_BYTES] * 2, [2], id="two fill it exactly"),
        pytest.param([MAX_BYTES // 2 - OPERATION_BYTES + 1] * 2, [1, 1], id="a byte too many"),
        pytest.param([10, MAX_BYTES - OPERATION_BYTES, 10], [1, 1, 1], id="a large one between"),
    ],
)
def test_a_batch_stays_under_2_mb(sizes: list[int], expected: list[int]) -> None:
    """Counted as sent, with what a batch adds around each document."""
    writes = [write("s", number, size) for number, size in enumerate(sizes)]

    planned = plan(writes, bulk=False).batched

    assert [len(batch.writes) for batches in planned for batch in batches] == expected


def test_streams_are_planned_apart_and_in_order() -> None:
    """The order inside a stream is that of the writes."""
    writes = [write("a", 1), write("b", 1), write("a", 2), write("b", 2), write("a", 3)]

    planned = plan(writes, bulk=False).batched

    assert [
        (batch.stream_id, [each.id for each in batch.writes])
        for batches in planned
        for batch in batches
    ] == [("a", ["1", "2", "3"]), ("b", ["1", "2"])]


def test_a_write_that_comes_twice_is_planned_once() -> None:
    """A batch of the feed may be delivered with repetitions."""
    planned = plan([write("a", 1), write("a", 2), write("a", 1)], bulk=False).batched

    assert [each.id for each in planned[0][0].writes] == ["1", "2"]


def test_streams_with_few_writes_are_loose() -> None:
    """They go together with others; the order inside each is kept."""
    many = [write("many", number) for number in range(LOOSE)]
    few = [write("few", number) for number in range(LOOSE - 1)]

    planned = plan([*many, *few, write("one", 1)], bulk=True)

    assert [batch.stream_id for batches in planned.batched for batch in batches] == ["many"]
    assert [[each.id for each in stream] for stream in planned.loose] == [
        [str(number) for number in range(LOOSE - 1)],
        ["1"],
    ]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        pytest.param([10] * 99, 99, id="all"),
        pytest.param([10] * 101, 100, id="no more than 100"),
        pytest.param([MAX_BYTES], 1, id="one at least"),
        pytest.param([MAX_BYTES // 2, MAX_BYTES // 2], 1, id="under 2 MB with what is around"),
        pytest.param([10, MAX_BYTES, 10], 1, id="a large one waits"),
    ],
)
def test_a_request_of_many_streams_stays_in_the_limits(sizes: list[int], expected: int) -> None:
    """100 operations, 2 MB."""
    streams = [deque([write(str(nth), 1, size)]) for nth, size in enumerate(sizes)]

    assert fitting(streams) == expected
