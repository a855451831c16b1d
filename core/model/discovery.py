"""The files of a package of projection modules, and what each of them declares."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from core.errors import DefinitionError
from core.model.locations import shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

_RECORD = "__declared__"
_NAME = "module_name"
_NAME_FORM = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

DeclaredT = TypeVar("DeclaredT")


def import_modules(package: ModuleType) -> list[ModuleType]:
    """Return the package itself and the modules of all its files, imported in order.

    Raises:
        DefinitionError: If a file is in a folder that is not read.
    """
    names = sorted(name for folder in package.__path__ for name in _module_names(Path(folder)))
    return [package, *(importlib.import_module(f"{package.__name__}.{name}") for name in names)]


def is_helper(module: ModuleType) -> bool:
    """Return whether a module may declare everything but projections.

    Helpers are files with a leading `_`, those in folders with a leading `_`, and packages.
    """
    parts = module.__name__.split(".")
    return hasattr(module, "__path__") or any(part.startswith("_") for part in parts)


def module_name(module: ModuleType) -> str:
    """Return the name of a module, which is part of leases and functions.

    Raises:
        DefinitionError: If `module_name` is not valid, or stands below a projection that has its
            name from the file.
    """
    name: object = module_name_of(module.__name__)
    namespace = [*vars(module)]
    if not isinstance(name, str) or not _NAME_FORM.match(name):
        raise DefinitionError(
            f"{_file(module)}: module_name is {name!r} → letters, digits and underscores"
        )
    if {_NAME, _RECORD} <= {*namespace} and namespace.index(_NAME) > namespace.index(_RECORD):
        raise DefinitionError(
            f"{_file(module)}: module_name stands below a projection, which has its name from the "
            "file → make it the first statement"
        )
    return name


def module_name_of(name: str) -> str:
    """Return the name of a module by that in Python: its `module_name`, or that of the file."""
    declared: str = getattr(sys.modules.get(name), _NAME, name.rpartition(".")[2])
    return declared


def record_declaration(declaration: object, namespace: dict[str, Any]) -> None:
    """Record a declaration in the namespace of its module, as it may not be a variable there."""
    namespace.setdefault(_RECORD, []).append(declaration)


def instances_of(module: ModuleType, kind: type[DeclaredT]) -> list[DeclaredT]:
    """Return the instances of a type that a module declares or has as a variable, in order."""
    namespace = vars(module)
    values = [*namespace.get(_RECORD, ()), *namespace.values()]
    return list({id(one): one for one in values if isinstance(one, kind)}.values())


def subclasses_of(module: ModuleType, base: type[DeclaredT]) -> list[type[DeclaredT]]:
    """Return the subclasses of a class that a module declares."""
    return [one for one in _visible_subclasses(module, base) if one.__module__ == module.__name__]


def check_imported_classes(modules: Iterable[ModuleType], *bases: type[Any]) -> None:
    """Reject classes that modules import from elsewhere and do not derive others from.

    Raises:
        DefinitionError: If there is one, which the engine would ignore.
    """
    modules = list(modules)
    names = {module.__name__ for module in modules}
    for base in bases:
        visible = [one for module in modules for one in _visible_subclasses(module, base)]
        for foreign in (one for one in visible if one.__module__ not in names):
            if not any(issubclass(one, foreign) and one is not foreign for one in visible):
                raise DefinitionError(
                    f"{base.__name__} {foreign.__name__} is declared in {foreign.__module__}, "
                    "which is not read → declare it in a file beside the projections."
                )


def _visible_subclasses(module: ModuleType, base: type[DeclaredT]) -> Iterator[type[DeclaredT]]:
    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, base) and value is not base:
            yield value


def _file(module: ModuleType) -> Path:
    return shorten(Path(str(module.__file__)))


def _module_names(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*.py"):
        parts = path.relative_to(folder).with_suffix("").parts
        parents = parts[:-1]
        if any(part.startswith(".") for part in parents) or parts == ("__init__",):
            continue
        if not all(part.startswith("_") for part in parents[:1]):
            raise DefinitionError(
                f"{path}: files in a folder are not read → move it to {folder}, or give the folder "
                "a leading `_` if it has no projections."
            )
        yield ".".join(parents if parts[-1] == "__init__" else parts)
