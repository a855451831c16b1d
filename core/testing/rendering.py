"""Differences between expected and actual events, as a failed check prints them."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import BaseModel

    from core.model.events import Event


def list_events(events: Sequence[Event]) -> str:
    """Return a numbered line for each event."""
    return "\n".join(f"    {number:3}. {event!r}" for number, event in enumerate(events, 1))


def compare_events(expected: Sequence[Event], actual: Sequence[Event], verb: str) -> str:
    """Return what differs, event by event and field by field.

    Args:
        expected: The events that the check names.
        actual: The events that there are.
        verb: What happened to the actual events, as in "emitted".
    """
    lines = [f"( - expected, + {verb}, ! differs )"]
    for number, (wanted, got) in enumerate(zip_longest(expected, actual), 1):
        lines += _compare(number, wanted, got)
    return "\n".join(lines)


def _compare(number: int, wanted: Event | None, got: Event | None) -> Iterator[str]:
    if wanted == got:
        yield f"    {number:3}. {got!r}"
    elif wanted is None or got is None or type(wanted) is not type(got):
        if wanted is not None:
            yield f"  - {number:3}. {wanted!r}"
        if got is not None:
            yield f"  + {number:3}. {got!r}"
    else:
        yield f"  ! {number:3}. {type(got).__name__}"
        yield from compare_fields(wanted, got)


def compare_fields(wanted: BaseModel, got: BaseModel) -> Iterator[str]:
    """Yield a line for each field of two models of the same class, two where it differs."""
    for name in type(got).model_fields:
        yield from _compare_field(name, getattr(wanted, name), getattr(got, name))


def _compare_field(name: str, wanted: object, got: object) -> Iterator[str]:
    if wanted == got:
        yield f"           {name} = {got!r}"
    else:
        yield f"           {name}: expected {wanted!r}"
        yield f"           {'':{len(name)}}  got      {got!r}"
