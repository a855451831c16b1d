"""Upcasts: the stored fields of one version of an event, as its next version has them."""

from __future__ import annotations

import copy
import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from core.errors import DefinitionError, InvalidEventError

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.model.events import Event, Fields

UpcastT = TypeVar("UpcastT", bound="Callable[[dict[str, Any]], dict[str, Any]]")


def upcast(event: type[Event], *, from_version: int) -> Callable[[UpcastT], UpcastT]:
    """Declare how the stored fields of a version become those of the next one.

        @upcast(OrderPlaced, from_version=1)
        def in_euros(data: dict[str, Any]) -> dict[str, Any]:
            return {**data, "currency": "EUR"}

    Whatever reads an event applies the upcasts from its version on, each to a copy of its own. A
    version without one is read as it is, which suffices where a new field has a default. The
    function must be pure.

    Args:
        event: The event type.
        from_version: The version of the fields that the function takes.

    Raises:
        DefinitionError: If the event has no such earlier version, or two upcasts from it.
    """

    def declare(function: UpcastT) -> UpcastT:
        where = f"@upcast({event.__name__}, from_version={from_version})"
        if not 1 <= from_version < event.version:
            raise DefinitionError(
                f"{where}: {event.__name__} has version {event.version} → name a version from 1 to "
                f"{event.version - 1}, or raise the version of the event."
            )
        if from_version in event.upcasts:
            other = inspect.unwrap(event.upcasts[from_version]).__name__
            raise DefinitionError(f"{where} is declared twice: {other} and {function.__name__}.")
        event.upcasts[from_version] = function
        return function

    return declare


def upcast_fields(event: type[Event], version: int, fields: Fields) -> Fields:
    """Return the stored fields of a version as the current version of the event has them.

    Raises:
        InvalidEventError: If an upcast raises an error, or returns no dictionary.
    """
    for number in sorted(event.upcasts):
        if number >= version:
            fields = _apply(event, number, fields)
    return fields


def _apply(event: type[Event], number: int, fields: Fields) -> Fields:
    function = event.upcasts[number]
    try:
        result: object = function(copy.deepcopy(fields))
    except Exception as error:
        raise InvalidEventError(
            f"The upcast of {event.__name__} from version {number} raised {type(error).__name__}."
        ) from error
    if not isinstance(result, dict):
        kind = type(result).__name__
        raise InvalidEventError(
            f"The upcast of {event.__name__} from version {number} returned {kind}, no dictionary."
        )
    return result
