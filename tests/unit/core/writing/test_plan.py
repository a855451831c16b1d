from __future__ import annotations

import pytest

from core.quotas import MAX_REQUEST_BYTES
from core.writing.plan import MIN_TRANSACTIONAL_WRITES, OPERATION_BYTES, count_fitting, plan_writes
from core.writing.writes import Write
from tests.support import CAUSE

FRAME = OPERATION_BYTES + 1
"""What stands around a document of stream `s`."""


def write(stream: str, number: int, size: int = 100) -> Write:
    return Write(stream_id=stream, id=str(number), body=b"x" * size, cause=CAUSE)


def test_streams_are_planned_apart_and_in_order() -> None:
    """The order inside a stream is that of the writes."""
    writes = [write("a", 1), write("b", 1), write("a", 2), write("b", 2), write("a", 3)]

    planned, _ = plan_writes(writes, bulk=False)

    assert [[(write.stream_id, write.id) for write in stream] for stream in planned] == [
        [("a", "1"), ("a", "2"), ("a", "3")],
        [("b", "1"), ("b", "2")],
    ]


def test_a_write_that_comes_twice_is_planned_once() -> None:
    """A batch of the feed may be delivered with repetitions."""
    planned, _ = plan_writes([write("a", 1), write("a", 2), write("a", 1)], bulk=False)

    assert [[write.id for write in stream] for stream in planned] == [["1", "2"]]


def test_streams_with_few_writes_use_bulk_requests() -> None:
    """They go together with others; the order inside each is kept."""
    many = [write("many", number) for number in range(MIN_TRANSACTIONAL_WRITES)]
    few = [write("few", number) for number in range(MIN_TRANSACTIONAL_WRITES - 1)]

    transactional, bulk = plan_writes([*many, *few, write("one", 1)], bulk=True)

    assert [stream[0].stream_id for stream in transactional] == ["many"]
    assert [[write.id for write in stream] for stream in bulk] == [
        [str(number) for number in range(MIN_TRANSACTIONAL_WRITES - 1)],
        ["1"],
    ]


def test_of_many_writes_streams_with_more_use_bulk_requests() -> None:
    """With 5,000 streams of 8 a transactional batch for each would be 5,000 requests."""
    writes = [write(str(stream), number) for number in range(8) for stream in range(5_000)]
    hot = [write("hot", number) for number in range(200)]

    transactional, bulk = plan_writes([*writes, *hot], bulk=True)

    assert [stream[0].stream_id for stream in transactional] == ["hot"]
    assert len(bulk) == 5_000


@pytest.mark.parametrize(
    ("sizes", "most", "expected"),
    [
        pytest.param([10] * 99, 100, 99, id="all"),
        pytest.param([10] * 101, 200, 100, id="no more than Cosmos DB takes"),
        pytest.param([10] * 99, 7, 7, id="no more than the pace allows"),
        pytest.param([MAX_REQUEST_BYTES], 100, 1, id="one at least"),
        pytest.param([MAX_REQUEST_BYTES // 2 - FRAME] * 2, 100, 2, id="two fill it exactly"),
        pytest.param([MAX_REQUEST_BYTES // 2 - FRAME + 1] * 2, 100, 1, id="a byte too many"),
        pytest.param([10, MAX_REQUEST_BYTES, 10], 100, 1, id="a large one waits"),
    ],
)
def test_a_request_stays_in_the_limits(sizes: list[int], most: int, expected: int) -> None:
    """100 operations, 2 MB; counted as sent, with what stands around each document."""
    writes = [write("s", nth, size) for nth, size in enumerate(sizes)]

    assert count_fitting(writes, most) == expected
