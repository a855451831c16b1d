"""A projection module whose events have any number of derived ones of any size."""

from collections.abc import Iterator
from typing import Any

from benchmarks.events import TIME
from core import Event, projection
from core.model.registry import ProjectionModule

_TEXT = "Größe \N{GRINNING FACE} "
"""Text that takes 4 bytes for each character in memory, and more than one in a document."""


class Published(Event, entity="post"):
    """A text that `readers` readers receive."""

    text: str
    readers: int

    @property
    def entity_id(self) -> int:
        """Their number."""
        return self.readers


class Received(Event, entity="reader"):
    """A reader received a text."""

    reader: int
    text: str

    @property
    def entity_id(self) -> int:
        """The reader."""
        return self.reader


@projection(name="large.received")
def received(event: Published) -> Iterator[Received]:
    """Send each reader a text of its own."""
    for reader in range(event.readers):
        yield Received(reader=reader, text=f"{reader} {event.text}")


MODULE = ProjectionModule(name="large", projections=(received,))


def published(number: int, readers: int, size: int) -> dict[str, Any]:
    """Return the document of a text of the given number of bytes."""
    text = _TEXT * (size // len(_TEXT.encode()))
    return {
        "id": f"post-{number}",
        "streamId": f"post-{readers}",
        "type": "Published",
        "version": 1,
        "time": TIME,
        "data": {"text": text, "readers": readers},
    }
