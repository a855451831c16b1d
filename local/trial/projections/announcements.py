"""A station announces, and each of its listeners hears it: a fan-out of any size."""

from collections.abc import Iterator

from core import Event, projection


class Announced(Event, entity="station"):
    """To be heard by `listeners`, `times` by each."""

    station: str
    listeners: int
    times: int

    @property
    def entity_id(self) -> str:
        """The station."""
        return self.station


class Heard(Event, entity="listener"):
    """`listener` heard the station for the how-manieth time."""

    listener: int
    station: str
    time: int

    @property
    def entity_id(self) -> int:
        """The listener."""
        return self.listener


@projection
def heard(event: Announced) -> Iterator[Heard]:
    """Listener by listener."""
    for listener in range(event.listeners):
        for time in range(event.times):
            yield Heard(listener=listener, station=event.station, time=time)
