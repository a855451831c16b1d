"""Everything that the modules in `projections/` declare, found and checked once."""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from core.errors import DefinitionError, UnknownResourceError
from core.model.commands import Command, command_name
from core.model.entities import Entity, entity_name, reducers
from core.model.events import Event
from core.model.graph import check_acyclic
from core.model.projections import Projection

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
        """The projections by the name of the event type that triggers them."""
        return {
            name: tuple(each for each in self.projections if trigger in each.source_types)
            for name, trigger in self.source_types.items()
        }

    @cached_property
    def source_types(self) -> Mapping[str, type[Event]]:
        """The event types that trigger something, by name."""
        return {each.__name__: each for found in self.projections for each in found.source_types}

    def restricted_to(self, projection: str | None) -> ProjectionModule:
        """The module with one of its projections, none if it is gone; None means all of them."""
        chosen = (each for each in self.projections if projection in (None, each.name))
        return replace(self, projections=tuple(chosen))

    def has_projection(self, projection: str) -> bool:
        """Whether a projection is one of its own."""
        return any(each.name == projection for each in self.projections)

    def blocks(self, projection: str | None) -> bool:
        """Return whether the lease must not advance if a projection fails on an event."""
        return any(own.name == projection and own.on_failure == "block" for own in self.projections)

    @property
    def can_block(self) -> bool:
        """Whether one of its projections may stop the line."""
        return any(each.on_failure == "block" for each in self.projections)

    @property
    def parks_streams(self) -> bool:
        """Whether one of its projections parks what comes behind a parked event."""
        return any(each.on_failure == "park_sequence" for each in self.projections)


@dataclass(frozen=True, kw_only=True)
class Registry:
    """What an application consists of, by name."""

    modules: Mapping[str, ProjectionModule]
    events: Mapping[str, type[Event]]
    commands: Mapping[str, type[Command]]
    entities: Mapping[str, type[Entity]]

    @classmethod
    def discover(cls, package: ModuleType) -> Registry:
        """The registry of all modules of a package; those with a leading `_` are helpers.

        Raises:
            DefinitionError: As `from_modules`.
        """
        found = sorted(info.name for info in pkgutil.iter_modules(package.__path__))
        return cls.from_modules(
            importlib.import_module(f"{package.__name__}.{name}")
            for name in found
            if not name.startswith("_")
        )

    @classmethod
    def from_modules(cls, modules: Iterable[ModuleType]) -> Registry:
        """The registry of these modules.

        Raises:
            DefinitionError: A name is declared twice, or something is declared wrongly.
            ProjectionCycleError: Projections lead back to where they start.
        """
        modules = list(modules)
        declared = [_projection_module(module) for module in modules]
        registry = cls(
            modules=_by_name([(each.name, each) for each in declared if each.projections]),
            events=_by_name([(each.__name__, each) for each in _classes(modules, Event)]),
            commands=_by_name([(command_name(each), each) for each in _classes(modules, Command)]),
            entities=_by_name([(entity_name(each), each) for each in _classes(modules, Entity)]),
        )
        registry._check()
        return registry

    @property
    def projections(self) -> Mapping[str, Projection]:
        """The projections of all modules."""
        return _by_name(
            [(each.name, each) for module in self.modules.values() for each in module.projections]
        )

    def module(self, name: str) -> ProjectionModule:
        """The projection module of this name.

        Raises:
            UnknownResourceError: There is none.
        """
        return _look_up(self.modules, name, "projection module")

    def command(self, name: str) -> type[Command]:
        """The command of this name.

        Raises:
            UnknownResourceError: There is none.
        """
        return _look_up(self.commands, name, "command")

    def entity(self, name: str) -> type[Entity]:
        """The entity of this name.

        Raises:
            UnknownResourceError: There is none.
        """
        return _look_up(self.entities, name, "entity")

    def _check(self) -> None:
        check_acyclic(self.projections.values())
        for entity in self.entities.values():
            reducers(entity)


def _projection_module(module: ModuleType) -> ProjectionModule:
    found = [value for value in vars(module).values() if isinstance(value, Projection)]
    own = [each for each in found if each.function.__module__ == module.__name__]
    return ProjectionModule(name=module.__name__.rpartition(".")[2], projections=tuple(own))


def _classes(modules: Iterable[ModuleType], base: type[DeclaredT]) -> list[type[DeclaredT]]:
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, base)
        and value.__module__ == module.__name__
    ]


def _by_name(declared: list[tuple[str, DeclaredT]]) -> Mapping[str, DeclaredT]:
    found: dict[str, DeclaredT] = {}
    for name, value in declared:
        if name in found:
            raise DefinitionError(f"{name!r} is declared twice: {found[name]!r} and {value!r}.")
        found[name] = value
    return found


def _look_up(known: Mapping[str, DeclaredT], name: str, kind: str) -> DeclaredT:
    try:
        return known[name]
    except KeyError:
        raise UnknownResourceError(
            f"There is no {kind} {name!r:.100}; known: {', '.join(sorted(known)) or 'none'}."
        ) from None
