"""The names of declarations as they are stored: their form, and that each is given once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from core.errors import DefinitionError
from core.model.locations import location_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from core.model.commands import Command
    from core.model.entities import Entity
    from core.model.events import Event
    from core.model.projections import Projection

ClassT = TypeVar("ClassT", bound="type[Event | Command | Entity]")

_FORMS = {
    "event": (re.compile(r"[^\W\d]\w*\Z"), "letters, digits and underscores"),
    "entity": (re.compile(r"[a-z_][a-z0-9_]*\Z"), "small letters, digits and underscores"),
    "command": (re.compile(r"[a-z_][a-z0-9_]*\Z"), "small letters, digits and underscores"),
}


def classes_by_name(kind: str, classes: Iterable[ClassT]) -> Mapping[str, ClassT]:
    """Return classes by the name under which they are stored.

    Args:
        kind: "event", "entity" or "command".
        classes: The classes.

    Raises:
        DefinitionError: If a name is not valid, or two classes have the same.
    """
    form, allowed = _FORMS[kind]
    by_name: dict[str, ClassT] = {}
    for declared in classes:
        name = declared.stored_name
        if not form.match(name):
            raise DefinitionError(
                f'{location_of(declared)} {kind} {declared.__name__} has the name "{name}" → '
                f'name="..." of {allowed}'
            )
        if name in by_name:
            raise DefinitionError(
                f"{kind} {name} is declared in {location_of(by_name[name])} and "
                f'{location_of(declared)} → name="..." for one of them'
            )
        by_name[name] = declared
    return by_name


def check_retired(entity: type[Entity], events: Mapping[str, type[Event]]) -> None:
    """Reject a retired type that is declared as an event.

    Raises:
        DefinitionError: If there is one.
    """
    for name in entity.retired:
        if name in events:
            raise DefinitionError(
                f"{location_of(events[name])} event {name} is retired by entity {entity.__name__} "
                "→ remove its class, or the name from retired"
            )


def projections_by_name(projections: Iterable[Projection]) -> Mapping[str, Projection]:
    """Return projections by name.

    Raises:
        DefinitionError: If two have the same name.
    """
    by_name: dict[str, Projection] = {}
    for projection in projections:
        name = projection.name
        if name in by_name:
            raise DefinitionError(
                f"projection {name} is declared in {by_name[name].location} and "
                f'{projection.location} → @projection(name="...") for one of them'
            )
        by_name[name] = projection
    return by_name
