"""A station announces, and each of its listeners hears it: a fan-out of any size."""

from collections.abc import Iterator

from core import Event, Id, projection


class Announced(Event, entity="station"):
    """An announcement that `listeners` listeners hear `times` times each."""

    station: Id[str]
    listeners: int
    times: int


class Heard(Event, entity="listener"):
    """A listener heard a station; `time` counts from 0."""

    listener: Id[int]
    station: str
    time: int


@projection
def heard(event: Announced) -> Iterator[Heard]:
    """Record each time that each listener hears the announcement."""
    for listener in range(event.listeners):
        for time in range(event.times):
            yield Heard(listener=listener, station=event.station, time=time)
