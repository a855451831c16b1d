"""The application that a declared class belongs to."""

from __future__ import annotations

import importlib
import sys
from functools import cache

from core.model.registry import Registry


def registry_of(declared: type) -> Registry:
    """Return the registry of the package of projection modules that declares a class.

    Folders with a leading `_` belong to the package that they are in.

    Raises:
        DefinitionError: If a declaration of the package is not valid.
    """
    parts = str(sys.modules[declared.__module__].__package__).split(".")
    while len(parts) > 1 and parts[-1].startswith("_"):
        parts.pop()
    return _discover(".".join(parts))


@cache
def _discover(package: str) -> Registry:
    return Registry.discover(importlib.import_module(package))
