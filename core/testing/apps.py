"""The application that a declared class belongs to."""

from __future__ import annotations

import importlib
from functools import cache

from core.model.registry import Registry


def registry_of(declared: type) -> Registry:
    """Return the registry of the package of projection modules that declares a class.

    Raises:
        DefinitionError: If a declaration of the package is not valid.
    """
    return _discover(declared.__module__.rpartition(".")[0])


@cache
def _discover(package: str) -> Registry:
    return Registry.discover(importlib.import_module(package))
