"""Projections: pure functions from one event to the events that follow from it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, overload

from core.errors import DefinitionError
from core.model.events import Event
from core.model.signatures import derived_types, event_types, resolve_annotations

Function = Callable[[Any], Iterable[Event]]
OnFailure = Literal["park", "park_sequence", "block"]


@dataclass(frozen=True, kw_only=True)
class Projection:
    """A projection and what its annotations say.

    Attributes:
        name: Stable for ever: it is part of the id of every derived event.
        function: The pure function.
        source_types: The event types it is run for.
        derived_types: The event types it may emit.
        cyclic: It is meant that what it emits leads back to what triggers it.
        on_failure: Whether an event that it cannot project is parked, or stops the line.
    """

    name: str
    function: Function
    source_types: tuple[type[Event], ...]
    derived_types: tuple[type[Event], ...]
    cyclic: bool = False
    on_failure: OnFailure = "park"

    def __call__(self, event: Event) -> Iterable[Event]:
        """Run the projection on one event."""
        return self.function(event)


@overload
def projection(function: Function, /) -> Projection: ...
@overload
def projection(
    *, name: str | None = None, cyclic: bool = False, on_failure: OnFailure = "park"
) -> Callable[[Function], Projection]: ...
def projection(
    function: Function | None = None,
    /,
    *,
    name: str | None = None,
    cyclic: bool = False,
    on_failure: OnFailure = "park",
) -> Projection | Callable[[Function], Projection]:
    """Declare a projection; its annotations are its wiring.

        @projection
        def followers(event: Followed) -> Iterator[WasFollowed]:
            yield WasFollowed(user_id=event.to_follow, follower=event.user_id)

    The function must be pure: the same event always gives the same events in the same order.

    Args:
        function: Takes one event, returns or yields events.
        name: Default `module.function`. It is part of every derived id: give the old one when you
            rename the function.
        cyclic: Say that a cycle of projections is meant; the hop limit still ends it.
        on_failure: "park": an event that cannot be projected goes to the dead letters, and the
            others go on. "park_sequence": so do the later events of its stream, so that a replay
            keeps their order. "block": its lease waits until the code is mended, or until its dead
            letter is discarded.

    Raises:
        DefinitionError: The annotations do not tell trigger and emitted types.
    """
    if function is None:
        return lambda decorated: _define(decorated, name, cyclic=cyclic, on_failure=on_failure)
    return _define(function, name, cyclic=cyclic, on_failure=on_failure)


def _define(
    function: Function, name: str | None, *, cyclic: bool, on_failure: OnFailure
) -> Projection:
    name = name or f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
    where = f"projection {name}"
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise DefinitionError(f"The {where} is async: a projection is pure and waits for nothing.")
    parameters = list(inspect.signature(function).parameters)
    if len(parameters) != 1:
        raise DefinitionError(f"The {where} takes one event and nothing else.")
    annotations = resolve_annotations(where, function)
    return Projection(
        name=name,
        function=function,
        source_types=event_types(annotations.get(parameters[0]), f"the parameter of {where}"),
        derived_types=derived_types(annotations.get("return"), f"the result of {where}"),
        cyclic=cyclic,
        on_failure=on_failure,
    )
