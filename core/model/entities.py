"""Entities: state folded from a stream by reducers."""

from __future__ import annotations

import inspect
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import ConfigDict

from core.errors import DefinitionError
from core.model.named_models import NamedModel
from core.model.signatures import event_types, resolve_annotations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from typing_extensions import Self

    from core.model.events import Event

_MARK = "__reduces__"

ReducerT = TypeVar("ReducerT", bound="Callable[..., Entity]")
EntityT = TypeVar("EntityT", bound="Entity")


class Entity(NamedModel):
    """The state of one entity; the defaults of its fields are the state before any event.

        class Followship(Entity):               # GET /api/entities/followship/{id}
            following: frozenset[UUID] = frozenset()

            @reduces
            def followed(self, event: Followed) -> Self:
                return self.evolve(following=self.following | {event.to_follow})

    The name of the class in snake case is part of streams and routes, unless `name` is.
    Stored events of `retired` types are passed over.

    Events are applied in the order of their `time`, and those with the same time after what they
    follow from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    retired: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(
        cls,
        retired: tuple[str, ...] = (),
        **kwargs: Any,  # noqa: ANN401 - class options of the base, passed on
    ) -> None:
        super().__init_subclass__(**kwargs)
        if isinstance(retired, str):
            raise DefinitionError(f'Entity {cls.__name__}: retired=("{retired}",) needs a comma.')
        cls.retired = retired

    def evolve(self, **changes: Any) -> Self:  # noqa: ANN401 - fields of any type
        """Return this state with some fields changed."""
        return self.model_copy(update=changes)


def reduces(method: ReducerT) -> ReducerT:
    """Mark a method as the reducer for the event type in its annotation."""
    setattr(method, _MARK, True)
    return method


def fold(entity: type[EntityT], events: Iterable[Event]) -> EntityT:
    """Return the state after the events, of which those without a reducer change nothing."""
    apply = reducers(entity)
    state = entity()
    for event in events:
        reducer = apply.get(type(event))
        if reducer is not None:
            state = reducer(state, event)
    return state


@cache
def reducers(entity: type[Entity]) -> Mapping[type[Event], Callable[..., Any]]:
    """Return the reducers of an entity by event type.

    Raises:
        DefinitionError: If a field has no default, or a reducer is not valid.
    """
    missing = [name for name, field in entity.model_fields.items() if field.is_required()]
    if missing:
        raise DefinitionError(
            f"Entity {entity.__name__} has no default for {', '.join(missing)}: "
            "the fields' defaults are the state before any event."
        )
    by_type: dict[type[Event], Callable[..., Any]] = {}
    for name, method in inspect.getmembers(entity, inspect.isfunction):
        if getattr(method, _MARK, False):
            for event_type in _reduced_types(f"{entity.__name__}.{name}", method):
                _add(by_type, event_type, method, entity)
    return by_type


def _add(
    by_type: dict[type[Event], Callable[..., Any]],
    event_type: type[Event],
    method: Callable[..., Any],
    entity: type[Entity],
) -> None:
    if event_type in by_type:
        raise DefinitionError(f"Entity {entity.__name__} reduces {event_type.__name__} twice.")
    if event_type.entity != entity.stored_name:
        raise DefinitionError(
            f"Entity {entity.__name__} reduces {event_type.__name__}, "
            f"which belongs to entity {event_type.entity!r}."
        )
    by_type[event_type] = method


def _reduced_types(where: str, method: Callable[..., Any]) -> tuple[type[Event], ...]:
    parameters = list(inspect.signature(method).parameters)
    expected_parameters = 2
    if len(parameters) != expected_parameters:
        raise DefinitionError(f"Reducer {where} takes (self, event) and nothing else.")
    return event_types(
        resolve_annotations(where, method).get(parameters[1]), f"the event of reducer {where}"
    )
