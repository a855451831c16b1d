from __future__ import annotations

import pytest

from core.batching import MAX_BYTES, OPERATION_BYTES, plan
from core.outputs import Write
from tests.support import Blame


def write(stream: str, number: int, size: int = 100) -> Write:
    return Write(stream_id=stream, id=str(number), document={}, size=size, source=Blame())


@pytest.mark.parametrize(
    ("count", "expected"),
    [(0, []), (1, [1]), (99, [99]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])],
)
def test_a_batch_has_at_most_100_operations(count: int, expected: list[int]) -> None:
    """Cosmos DB takes no more."""
    planned = plan(write("s", number) for number in range(count))

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
    planned = plan(write("s", number, size) for number, size in enumerate(sizes))

    assert [len(batch.writes) for batches in planned for batch in batches] == expected


def test_streams_are_planned_apart_and_in_order() -> None:
    """The order inside a stream is that of the writes."""
    writes = [write("a", 1), write("b", 1), write("a", 2), write("b", 2), write("a", 3)]

    planned = plan(writes)

    assert [
        (batch.stream_id, [each.id for each in batch.writes])
        for batches in planned
        for batch in batches
    ] == [("a", ["1", "2", "3"]), ("b", ["1", "2"])]


def test_a_write_that_comes_twice_is_planned_once() -> None:
    """A batch of the feed may be delivered with repetitions."""
    planned = plan([write("a", 1), write("a", 2), write("a", 1)])

    assert [each.id for each in planned[0][0].writes] == ["1", "2"]
