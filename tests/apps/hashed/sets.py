"""Copies of a letter go to a set of readers."""

from __future__ import annotations

from collections.abc import Iterator

from core import Event, Id, projection


class Sent(Event, entity="letter"):
    letter: Id[str]


class Received(Event, entity="reader"):
    reader: Id[str]


@projection
def copies(event: Sent) -> Iterator[Received]:
    for reader in {f"{event.letter}{number}" for number in range(20)}:
        yield Received(reader=reader)
