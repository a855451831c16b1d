"""Follows, and the derived events that the engine has to write for them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from benchmarks.events import followed
from core.model.registry import Registry
from core.projecting.derivation import derive
from core.projecting.fan_out import FanOut
from core.projecting.turn import ENDLESS_TURN
from examples.followship import projections
from local.harness.follows import POLBLOGS, Follow, read_follows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from core.writing.writes import Write


def spread(count: int) -> list[Follow]:
    """Of 5,000 users, one after the other."""
    return [Follow(_user(nth), _user(count + nth % 5_000)) for nth in range(count)]


def hot(count: int) -> list[Follow]:
    """Of one user."""
    return [Follow(_user(nth), _user(count)) for nth in range(count)]


def one_hot(count: int) -> list[Follow]:
    """Every other one of one user, the rest of 5,000."""
    return [
        Follow(_user(nth), _user(count + (nth % 5_000 + 1 if nth % 2 else 0)))
        for nth in range(count)
    ]


def real(count: int, path: Path = POLBLOGS) -> list[Follow]:
    """Of a follow graph, in its order."""
    return [follow for follow in read_follows(path, count) if not follow.is_self_follow]


FOLLOWS: dict[str, Callable[[int], list[Follow]]] = {"spread": spread, "hot": hot, "real": real}


def derived(follows: Iterable[Follow]) -> list[Write]:
    """What is to be written of them, in their order."""
    module = Registry.discover(projections).module("followship")
    documents = (followed(nth, follow) for nth, follow in enumerate(follows))
    return list(_writes(derive(module, documents)))


def _writes(fan_outs: Iterable[object]) -> Iterator[Write]:
    for fan_out in fan_outs:
        while isinstance(fan_out, FanOut) and not fan_out.is_done:
            yield from fan_out.next_writes(ENDLESS_TURN) or ()


def _user(number: int) -> UUID:
    return UUID(int=number + 1, version=4)
