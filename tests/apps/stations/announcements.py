"""A station announces, and each of its listeners hears it a number of times."""

from collections.abc import Iterator

from core import Event, projection


class Announced(Event, entity="station"):
    station: str
    listeners: int
    times: int

    @property
    def entity_id(self) -> str:
        return self.station


class Heard(Event, entity="listener"):
    listener: int
    station: str
    time: int

    @property
    def entity_id(self) -> int:
        return self.listener


@projection
def heard(event: Announced) -> Iterator[Heard]:
    for listener in range(event.listeners):
        for time in range(event.times):
            yield Heard(listener=listener, station=event.station, time=time)
