"""Derived events to be written, as the engine derives them from follows."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from benchmarks.events import followed
from core.derivation import derive
from core.fanouts import FanOut
from core.outputs import Write
from core.registry import Registry
from local.stage.follows import POLBLOGS, Follow, read_follows
from local.trial import projections

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


def spread(count: int) -> list[Write]:
    """Into 5,000 streams, one after the other."""
    return _derived(Follow(_user(nth), _user(count + nth % 5_000)) for nth in range(count))


def hot(count: int) -> list[Write]:
    """Into one stream."""
    return _derived(Follow(_user(nth), _user(count)) for nth in range(count))


def one_hot(count: int) -> list[Write]:
    """Every other one into one stream, the rest spread over 5,000."""
    return _derived(
        Follow(_user(nth), _user(count + (nth % 5_000 + 1 if nth % 2 else 0)))
        for nth in range(count)
    )


def real(count: int, path: Path = POLBLOGS) -> list[Write]:
    """Into the streams of a follow graph, in the order of the follows."""
    return _derived(each for each in read_follows(path, count) if not each.to_oneself)


WORKLOADS: dict[str, Callable[[int], list[Write]]] = {"spread": spread, "hot": hot, "real": real}


def _derived(follows: Iterable[Follow]) -> list[Write]:
    module = Registry.discover(projections).module("followship")
    documents = (followed(nth, follow) for nth, follow in enumerate(follows))
    return list(_writes(derive(module, documents, max_hops=16)))


def _writes(derived: Iterable[object]) -> Iterator[Write]:
    for each in derived:
        while isinstance(each, FanOut) and not each.done:
            yield from (found for found in each.draw() if isinstance(found, Write))


def _user(number: int) -> UUID:
    return UUID(int=number + 1, version=4)
