"""What a command's `handle` takes and appends, by its annotations."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from core.errors import DefinitionError
from core.model.commands import Command
from core.model.entities import Entity
from core.model.entity_ids import id_field
from core.model.signatures import derived_types, is_union, resolve_annotations

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from core.model.events import Event


@dataclass(frozen=True, kw_only=True)
class Handler:
    """The parameters of a command's `handle`.

    Attributes:
        entity: The entity that the command decides on, None if it decides on nothing.
        entity_parameter: The parameter that takes the entity.
        is_required: Whether the entity must exist.
        time_parameter: The parameter that takes the time of the events, "" if there is none.
        event_types: The events that a command which decides may append.
    """

    entity: type[Entity] | None = None
    entity_parameter: str = ""
    is_required: bool = False
    time_parameter: str = ""
    event_types: tuple[type[Event], ...] = ()

    def arguments(self, state: Entity | None, time: datetime) -> dict[str, Any]:
        """Return the arguments of a call."""
        values: dict[str, Any] = {self.entity_parameter: state, self.time_parameter: time}
        values.pop("", None)
        return values


@cache
def handler_of(command: type[Command]) -> Handler:
    """Return the handler of a command.

    Raises:
        DefinitionError: If `handle` is missing, or takes or appends what it may not.
    """
    function: Callable[..., Any] = command.handle
    name = command.__name__
    where = f"handle of {name}"
    if function is Command.handle:
        raise DefinitionError(
            f"command {name} has no handle → def handle(self) -> Iterator[...]: with its events"
        )
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise DefinitionError(
            f"{where} is async: it waits for nothing → take what it needs as fields"
        )
    annotations = resolve_annotations(where, function)
    parameters = list(inspect.signature(function).parameters)[1:]
    entity, time = _parameters(where, {one: annotations.get(one) for one in parameters})
    if not entity:
        return Handler(time_parameter=time)
    model = _entity_of(annotations[entity])
    if id_field(command) is None:
        raise DefinitionError(
            f"{name} decides on {model.__name__} but does not say which → "
            f"{model.stored_name}_id: Id[UUID]"
        )
    return Handler(
        entity=model,
        entity_parameter=entity,
        is_required=not is_union(annotations[entity]),
        time_parameter=time,
        event_types=_event_types(where, model, annotations.get("return")),
    )


def _parameters(where: str, annotations: Mapping[str, Any]) -> tuple[str, str]:
    """Return the names of the parameters for the entity and for the time, "" for none."""
    entities = [name for name, annotation in annotations.items() if _entities_in(annotation)]
    times = [name for name, annotation in annotations.items() if annotation is datetime]
    for name, annotation in annotations.items():
        if name not in (*entities, *times):
            shown = getattr(annotation, "__name__", annotation)
            raise DefinitionError(
                f"{where}: `{name}: {shown}` is neither an entity nor `now: datetime`"
            )
    if len(entities) > 1 or any(len(_entities_in(annotations[one])) > 1 for one in entities):
        taken = [one for name in entities for one in _entities_in(annotations[name])]
        raise DefinitionError(
            f"{where} takes {' and '.join(one.__name__ for one in taken)}: one stream can be "
            "decided on → bring the other's facts in by a projection"
        )
    if len(times) > 1:
        raise DefinitionError(f"{where} takes the time twice: {' and '.join(times)} → keep one")
    return "".join(entities), "".join(times)


def _entities_in(annotation: Any) -> list[type[Entity]]:  # noqa: ANN401 - annotations
    options = get_args(annotation) if is_union(annotation) else (annotation,)
    return [one for one in options if isinstance(one, type) and issubclass(one, Entity)]


def _entity_of(annotation: Any) -> type[Entity]:  # noqa: ANN401 - as above
    return _entities_in(annotation)[0]


def _event_types(where: str, entity: type[Entity], annotation: object) -> tuple[type[Event], ...]:
    if annotation is None:
        raise DefinitionError(f"{where} does not say which events → -> Iterator[OrderPaid]")
    types = derived_types(annotation, f"the result of {where}")
    own = entity.stored_name
    for event in types:
        if event.entity != own:
            raise DefinitionError(
                f"{where} yields {event.__name__} of entity {event.entity}, not {own} → a "
                "projection writes other streams"
            )
    return types
