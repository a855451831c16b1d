from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from core.projecting.ordinals import Ordinals

TYPES = st.sampled_from(["a", "b", "ab", "ü"])
STREAMS = TYPES | st.text(alphabet="ab-ü", max_size=3)  # neither has a NUL


@given(st.lists(st.tuples(TYPES, STREAMS), max_size=300))
def test_ordinals_count_each_type_and_stream_by_itself(asked: list[tuple[str, str]]) -> None:
    """As a dictionary of counters would."""
    ordinals = Ordinals()
    expected: Counter[tuple[str, str]] = Counter()

    for event_type, stream in asked:
        assert ordinals.next(event_type, stream) == expected[event_type, stream]
        expected[event_type, stream] += 1


def test_they_count_on_while_the_table_grows() -> None:
    """Nothing that was counted is forgotten."""
    ordinals = Ordinals()
    streams = [f"stream-{number}" for number in range(5_000)]

    assert {ordinals.next("T", stream) for stream in streams} == {0}
    assert {ordinals.next("T", stream) for stream in streams} == {1}
