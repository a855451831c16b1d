"""The event types in an author's annotations."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from typing import Any, Union, get_args, get_origin

from core.errors import DefinitionError
from core.model.events import Event


def resolve_annotations(where: str, function: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations of a function.

    Raises:
        DefinitionError: If an annotation names something that is not defined above it.
    """
    try:
        return typing.get_type_hints(function)
    except NameError as error:
        raise DefinitionError(
            f"{where} is annotated with {error.name!r}, which is not defined above it."
        ) from error


def event_types(annotation: object, where: str) -> tuple[type[Event], ...]:
    """Return the event types of an annotation: one type, or a union of several.

    Raises:
        DefinitionError: If it is missing, or names something else.
    """
    options = get_args(annotation) if is_union(annotation) else (annotation,)
    if not all(isinstance(option, type) and issubclass(option, Event) for option in options):
        raise DefinitionError(f"Annotate {where} with an event type, or a union of several.")
    if Event in options:
        raise DefinitionError(f"Annotate {where} with the event's own type: Event is every type.")
    return typing.cast("tuple[type[Event], ...]", options)


def derived_types(annotation: object, where: str) -> tuple[type[Event], ...]:
    """Return the event types of a collection: `Iterator[A | B]`, `list[A]`, `tuple[A, ...]`.

    Raises:
        DefinitionError: If it is not a collection of events.
    """
    origin = get_origin(annotation)
    if not (isinstance(origin, type) and issubclass(origin, Iterable)):
        raise DefinitionError(
            f"Annotate {where} with a collection of event types, as Iterator[WasFollowed]."
        )
    arguments = get_args(annotation)
    if origin is tuple:
        arguments = tuple(option for option in arguments if option is not Ellipsis)
    elif issubclass(origin, Generator):
        arguments = arguments[:1]
    elif not issubclass(origin, (Iterator, Collection)) and origin is not Iterable:
        raise DefinitionError(f"{where}: {origin.__name__} is not a collection of events.")
    options = [option for argument in arguments for option in event_types(argument, where)]
    return tuple(dict.fromkeys(options))


def is_union(annotation: object) -> bool:
    """Return whether an annotation is a union, as of `X | None`."""
    return get_origin(annotation) in (Union, types.UnionType)
