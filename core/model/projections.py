"""Projections: pure functions from one event to its derived events."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, overload

from core.errors import DefinitionError
from core.model.discovery import module_name_of, record_declaration
from core.model.events import Event
from core.model.locations import location_of
from core.model.signatures import derived_types, event_types, resolve_annotations

Function = Callable[[Any], Iterable[Event]]
OnFailure = Literal["park", "park_stream", "block"]


@dataclass(frozen=True, kw_only=True)
class Projection:
    """A projection with what its annotations declare.

    Attributes:
        name: The name, which is part of the id of every derived event and must never change.
        function: The pure function.
        source_types: The types of its source events.
        derived_types: The types of the events that it may emit.
        allow_cycle: Whether its derived events may lead back to its source events.
        on_failure: What happens to an event on which it fails.
    """

    name: str
    function: Function
    source_types: tuple[type[Event], ...]
    derived_types: tuple[type[Event], ...]
    allow_cycle: bool = False
    on_failure: OnFailure = "park"

    def __call__(self, event: Event) -> Iterable[Event]:
        """Run the projection on one event."""
        return self.function(event)

    @property
    def location(self) -> str:
        """The file and the line of the function."""
        return location_of(self.function)


@overload
def projection(function: Function, /) -> Projection: ...
@overload
def projection(
    *, name: str | None = None, allow_cycle: bool = False, on_failure: OnFailure = "park"
) -> Callable[[Function], Projection]: ...
def projection(
    function: Function | None = None,
    /,
    *,
    name: str | None = None,
    allow_cycle: bool = False,
    on_failure: OnFailure = "park",
) -> Projection | Callable[[Function], Projection]:
    """Declare a projection, whose annotations name its source and derived events.

        @projection
        def followers(event: Followed) -> Iterator[WasFollowed]:
            yield WasFollowed(user_id=event.to_follow, follower=event.user_id)

    The function must be pure: the same event always leads to the same events in the same order.

    Args:
        function: A function that takes one event, and returns or yields events.
        name: The name, by default `module.function`. It is part of every derived id, so pass the
            old name if you rename the function.
        allow_cycle: Whether a cycle of projections is allowed; the hop limit still ends it.
        on_failure: What happens to an event on which the projection fails. "park": it becomes a
            dead letter, and other events are unaffected. "park_stream": so do the later events of
            its stream, so that a replay keeps their order. "block": the lease does not advance
            until a fixed version is deployed or the dead letter is discarded.

    Raises:
        DefinitionError: If the annotations do not name source and derived events.
    """
    if function is None:
        return lambda decorated: _define(
            decorated, name, allow_cycle=allow_cycle, on_failure=on_failure
        )
    return _define(function, name, allow_cycle=allow_cycle, on_failure=on_failure)


def _define(
    function: Function, name: str | None, *, allow_cycle: bool, on_failure: OnFailure
) -> Projection:
    if not inspect.isfunction(function):
        raise DefinitionError(f"A projection is a function, got {function!r:.100}.")
    name = name or f"{module_name_of(function.__module__)}.{function.__name__}"
    where = f"projection {name}"
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise DefinitionError(f"The {where} is async. A projection must be pure and cannot wait.")
    parameters = list(inspect.signature(function).parameters)
    if len(parameters) != 1:
        raise DefinitionError(f"The {where} must take one event and nothing else.")
    annotations = resolve_annotations(where, function)
    defined = Projection(
        name=name,
        function=function,
        source_types=event_types(annotations.get(parameters[0]), f"the parameter of {where}"),
        derived_types=derived_types(annotations.get("return"), f"the result of {where}"),
        allow_cycle=allow_cycle,
        on_failure=on_failure,
    )
    record_declaration(defined, inspect.unwrap(function).__globals__)
    return defined
