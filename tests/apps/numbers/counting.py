"""One event leads to an event for each number, in ten streams."""

from collections.abc import Iterator

from core import Event, Id, projection


class Counted(Event, entity="count"):
    numbers: Id[int]


class Number(Event, entity="digit"):
    value: int

    @property
    def entity_id(self) -> int:
        return self.value % 10


@projection
def numbers(event: Counted) -> Iterator[Number]:
    yield from (Number(value=value) for value in range(event.numbers))
