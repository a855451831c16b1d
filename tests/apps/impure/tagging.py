"""A list of tags, and projections into their streams."""

from __future__ import annotations

import time
from collections.abc import Iterator

from core import Event, Id, projection

_SEEN: list[str] = []


class Listed(Event, entity="list"):
    name: Id[str]
    tags: dict[str, int]


class Tagged(Event, entity="tag"):
    tag: Id[str]
    count: int


@projection
def reads_the_clock(event: Listed) -> Iterator[Tagged]:
    yield Tagged(tag=event.name, count=int(time.time()))


@projection
def remembers(event: Listed) -> Iterator[Tagged]:
    if event.name not in _SEEN:
        _SEEN.append(event.name)
        yield Tagged(tag=event.name, count=1)


@projection
def depends_on_order(event: Listed) -> Iterator[Tagged]:
    for tag, count in event.tags.items():
        yield Tagged(tag=tag, count=count)


@projection
def sorts(event: Listed) -> Iterator[Tagged]:
    for tag, count in sorted(event.tags.items()):
        yield Tagged(tag=tag, count=count)
