"""Everything that projection modules declare, discovered and checked once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from core.errors import DefinitionError, UnknownResourceError
from core.model.commands import Command
from core.model.discovery import (
    check_imported_classes,
    import_modules,
    instances_of,
    is_helper,
    module_name,
    subclasses_of,
)
from core.model.entities import Entity, reducers
from core.model.event_fields import check_event_fields
from core.model.events import Event, check_entity_id
from core.model.graph import check_acyclic
from core.model.handlers import handler_of
from core.model.projections import Projection
from core.model.stored_names import check_retired, classes_by_name, projections_by_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import ModuleType

DeclaredT = TypeVar("DeclaredT")


@dataclass(frozen=True, kw_only=True)
class ProjectionModule:
    """A file in `projections/` that has projections: one function and one set of leases."""

    name: str
    projections: tuple[Projection, ...]

    @cached_property
    def projections_by_type(self) -> Mapping[str, tuple[Projection, ...]]:
        """The projections by the name of their source event type."""
        return {
            name: tuple(one for one in self.projections if event_type in one.source_types)
            for name, event_type in self.source_types.items()
        }

    @cached_property
    def source_types(self) -> Mapping[str, type[Event]]:
        """The types of source events, by name."""
        types = (one for projection in self.projections for one in projection.source_types)
        return {event_type.stored_name: event_type for event_type in types}

    @property
    def file(self) -> str:
        """The file, for messages."""
        return self.projections[0].location.rpartition(":")[0]

    @property
    def package(self) -> str:
        """The package that the module's file belongs to, as in `projections`."""
        name = self.projections[0].function.__module__
        return name.rpartition(".")[0] or name

    def restricted_to(self, projection: str | None) -> ProjectionModule:
        """Return the module with one of its projections, if it has it, or with all for None."""
        chosen = (own for own in self.projections if projection in (None, own.name))
        return replace(self, projections=tuple(chosen))

    def has_projection(self, projection: str) -> bool:
        """Return whether a projection belongs to the module."""
        return any(own.name == projection for own in self.projections)

    def blocks(self, projection: str | None) -> bool:
        """Return whether the lease must not advance if a projection fails on an event."""
        return any(own.name == projection and own.on_failure == "block" for own in self.projections)

    @property
    def can_block(self) -> bool:
        """Whether one of its projections may block a lease."""
        return any(own.on_failure == "block" for own in self.projections)

    @property
    def parks_streams(self) -> bool:
        """Whether one of its projections parks the later events of a stream as well."""
        return bool(self.stream_parking_projections)

    @property
    def stream_parking_projections(self) -> list[str]:
        """The names of these projections."""
        return [own.name for own in self.projections if own.on_failure == "park_stream"]


@dataclass(frozen=True, kw_only=True)
class Registry:
    """The declarations of an application, by name."""

    modules: Mapping[str, ProjectionModule]
    events: Mapping[str, type[Event]]
    commands: Mapping[str, type[Command]]
    entities: Mapping[str, type[Entity]]

    @classmethod
    def discover(cls, package: ModuleType) -> Registry:
        """Return the registry of all files of a package.

        Files with a leading `_` may declare everything but projections.

        Raises:
            DefinitionError: If a declaration is not valid, as for `from_modules`, or a file is in a
                folder that is not read.
        """
        return cls.from_modules(import_modules(package))

    @classmethod
    def from_modules(cls, modules: Iterable[ModuleType]) -> Registry:
        """Return the registry of the given modules.

        Raises:
            DefinitionError: If a name is declared twice, or a declaration is not valid or would be
                ignored where it is.
            ProjectionCycleError: If projections lead from an event type back to itself.
        """
        modules = list(modules)
        check_imported_classes(modules, Event, Command, Entity)
        declared = [_projection_module(module) for module in modules]
        _check_imported_projections(modules, declared)
        registry = cls(
            modules=_modules_by_name(one for one in declared if one.projections),
            events=classes_by_name("event", _classes(modules, Event)),
            commands=classes_by_name("command", _commands(modules)),
            entities=classes_by_name("entity", _classes(modules, Entity)),
        )
        registry._check()
        return registry

    @property
    def projections(self) -> Mapping[str, Projection]:
        """The projections of all modules."""
        return projections_by_name(
            own for module in self.modules.values() for own in module.projections
        )

    def module(self, name: str) -> ProjectionModule:
        """Return the projection module of a name.

        Raises:
            UnknownResourceError: If it does not exist.
        """
        return _look_up(self.modules, name, "projection module")

    def command(self, name: str) -> type[Command]:
        """Return the command of a name.

        Raises:
            UnknownResourceError: If it does not exist.
        """
        return _look_up(self.commands, name, "command")

    def entity(self, name: str) -> type[Entity]:
        """Return the entity of a name.

        Raises:
            UnknownResourceError: If it does not exist.
        """
        return _look_up(self.entities, name, "entity")

    def _check(self) -> None:
        for event in self.events.values():
            check_entity_id(event)
            check_event_fields(event)
        check_acyclic(self.projections.values())
        for projection in self.projections.values():
            for event_type in (*projection.source_types, *projection.derived_types):
                self._check_event_type(event_type, f"projection {projection.name}")
        for command in self.commands.values():
            self._check_handler(command)
        for name, entity in self.entities.items():
            check_retired(entity, self.events)
            for event_type in reducers(entity):
                self._check_event_type(event_type, f"entity {name}")

    def _check_handler(self, command: type[Command]) -> None:
        entity = handler_of(command).entity
        if entity is not None and self.entities.get(entity.stored_name) is not entity:
            raise DefinitionError(
                f"command {command.__name__}: entity {entity.__name__} of {entity.__module__} is "
                "not read → declare it as a class of a file beside the projections."
            )

    def _check_event_type(self, event_type: type[Event], user: str) -> None:
        if self.events.get(event_type.stored_name) is not event_type:
            raise DefinitionError(
                f"{user}: event type {event_type.__name__} of {event_type.__module__} is not read "
                "→ declare it as a class of a file beside the projections."
            )


def _projection_module(module: ModuleType) -> ProjectionModule:
    name = module.__name__
    projections = instances_of(module, Projection)
    own = tuple(one for one in projections if one.function.__module__ == name)
    if own and is_helper(module):
        raise DefinitionError(
            f"{own[0].location}: projection {own[0].name} is in a helper file and would not run → "
            "move it, or drop the `_`."
        )
    return ProjectionModule(name=module_name(module), projections=own)


def _modules_by_name(modules: Iterable[ProjectionModule]) -> Mapping[str, ProjectionModule]:
    by_name: dict[str, ProjectionModule] = {}
    for module in modules:
        other = by_name.setdefault(module.name, module)
        if other is not module:
            raise DefinitionError(
                f"module {module.name} is {other.file} and {module.file} → module_name of one of "
                "them, as its first statement"
            )
    return by_name


def _check_imported_projections(
    modules: Iterable[ModuleType], declared: Iterable[ProjectionModule]
) -> None:
    own = {id(projection) for module in declared for projection in module.projections}
    for module in modules:
        for projection in instances_of(module, Projection):
            if id(projection) not in own:
                raise DefinitionError(
                    f"{projection.location}: projection {projection.name} is imported by "
                    f"{module.__name__} and would not run → write its function in a file of the "
                    "projections."
                )


def _classes(modules: Iterable[ModuleType], base: type[DeclaredT]) -> list[type[DeclaredT]]:
    return [one for module in modules for one in subclasses_of(module, base)]


def _commands(modules: Iterable[ModuleType]) -> list[type[Command]]:
    """Return the commands, without those that others only take their fields from."""
    classes = _classes(modules, Command)
    return [one for one in classes if one.handle is not Command.handle or not one.__subclasses__()]


def _look_up(known: Mapping[str, DeclaredT], name: str, kind: str) -> DeclaredT:
    try:
        return known[name]
    except KeyError:
        raise UnknownResourceError(
            f"There is no {kind} {name!r:.100}; known: {', '.join(sorted(known)) or 'none'}."
        ) from None
