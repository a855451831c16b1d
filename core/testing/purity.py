"""Checks that what an application computes from events depends on these events alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from core.model.registry import Registry
from core.testing.outputs import outputs
from core.testing.projecting import stored_document
from core.testing.reordering import reordered
from core.testing.watching import forbid_impure_calls

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

    from core.model.events import Event
    from core.testing.outputs import Outputs

_TIMEOUT_SECONDS = 60.0


def assert_pure(package: ModuleType, *events: Event) -> None:
    """Check all projections, reducers and upcasts of an application that events trigger.

    They are watched for impure calls, and run again, after other events, with dictionaries and sets
    in another order, and in two processes with other hash seeds.

    Args:
        package: The package of the projection modules.
        events: The events, of types that the package declares.

    Raises:
        AssertionError: If one of them is not pure, with its name and what differs.
    """
    registry = Registry.discover(package)
    with forbid_impure_calls(f"What {package.__name__} computes"):
        first = outputs(registry, events)
    for how, other in (
        ("when it runs again", outputs(registry, events)),
        ("after another event", outputs(registry, events, backwards=True)),
        ("if a dict or set has another order", outputs(registry, [*map(reordered, events)])),
    ):
        _compare(first, other, how)
    one, two = _in_processes(package.__name__, events)
    _compare(one, two, "under another hash seed", " → sort")


def _in_processes(package: str, events: Sequence[Event]) -> list[Outputs]:
    """Return the outputs in processes with hash seed 1 and with 2."""
    request = {"package": package, "documents": [stored_document(event) for event in events]}
    path = os.pathsep.join([*filter(None, sys.path), "."])
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "core.testing.hash_seeds"],
            env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": seed},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    answers = [one.communicate(json.dumps(request), _TIMEOUT_SECONDS)[0] for one in processes]
    return [json.loads(answer) for answer in answers]


def _compare(one: Outputs, two: Outputs, how: str, remedy: str = "") -> None:
    for subject, text in one.items():
        if two[subject] != text:
            raise AssertionError(
                f"{subject} gives other results {how} (1: {text}; 2: {two[subject]}){remedy}"
            )
