"""How much of the engine one event, command, read or dead letter passes on its way.

A later change may raise a limit in the same commit that needs it, saying why.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, ValuesView
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

import pytest
from azure.cosmos.aio import DatabaseProxy

import core
from core.application import Application
from tests.apps import follows
from tests.support import dead_letters_of, followed, user

CORE = f"{Path(core.__file__).parent}/"

FORMS = frozenset(
    {
        *("Envelope", "Event", "Follow", "Followed", "WasFollowed", "Cause", "FanOut"),
        *("BatchRun", "BatchResult", "Write", "Written", "Rejected", "_PendingRequest"),
        *("OperationResult", "PoisonEvent", "DeadLetter", "FanOutProgress", "ReplayResult"),
        *("Append", "Creation", "_Waiting"),
    }
)
"""Classes that are an event, or a command, in one of its forms."""


class Count(NamedTuple):
    """How much is passed."""

    functions: int
    files: int
    classes: int


LIMITS = {
    "event": (Count(48, 13, 15), Count(114, 33, 34)),
    "poison": (Count(30, 12, 11), Count(89, 31, 31)),
    "command": (Count(23, 9, 8), Count(86, 28, 28)),
    "entity": (Count(15, 7, 4), Count(65, 25, 19)),
    "replay": (Count(58, 19, 21), Count(126, 37, 37)),
    "status": (Count(0, 0, 0), Count(60, 25, 25)),
}
"""By path: where the data itself passes, and everything that is executed."""


def is_within(count: Count, limit: Count) -> bool:
    return all(now <= most for now, most in zip(count, limit, strict=True))


def is_data(value: object, depth: int = 3) -> bool:
    """Whether a value is, or holds, an event in one of its forms."""
    if type(value).__name__ in FORMS:
        return True
    if isinstance(value, bytes):
        return b"streamId" in value
    if isinstance(value, dict) and ("streamId" in value or "eventId" in value):
        return True
    return depth > 0 and any(is_data(item, depth - 1) for item in first_items(value))


def first_items(value: object) -> list[object]:
    if isinstance(value, dict):
        value = value.values()
    if isinstance(value, (list, tuple, deque, ValuesView)):
        return list(islice(value, 2))
    return []


def is_counted(code: CodeType) -> bool:
    """Lambdas and comprehensions are part of the function around them."""
    name: str = code.co_qualname  # type: ignore[attr-defined,unused-ignore] # Python 3.11
    inside = ("<lambda>", "<genexpr>", "comp>")
    return code.co_filename.startswith(CORE) and not any(part in name for part in inside)


@dataclass
class Passed:
    """The functions and classes of `core` that were passed."""

    functions: set[tuple[str, str]] = field(default_factory=set)
    classes: set[str] = field(default_factory=set)

    def add(self, frame: FrameType) -> None:
        """Add a function, and the class of the object that it belongs to."""
        code = frame.f_code
        name: str = code.co_qualname  # type: ignore[attr-defined,unused-ignore] # Python 3.11
        self.functions.add((code.co_filename.removeprefix(CORE), name))
        self.add_class(frame.f_locals.get("self"))

    def add_class(self, value: object) -> None:
        if type(value).__module__.startswith("core."):
            self.classes.add(type(value).__name__)

    @property
    def count(self) -> Count:
        files = {file for file, _ in self.functions}
        return Count(len(self.functions), len(files), len(self.classes))

    def __str__(self) -> str:
        """All of it, by file."""
        files = sorted({file for file, _ in self.functions})
        lines = [
            f"{file}: {', '.join(sorted(name for other, name in self.functions if other == file))}"
            for file in files
        ]
        return "\n".join([str(self.count), *lines, f"classes: {', '.join(sorted(self.classes))}"])


class Walk:
    """Notes what is executed, and where the data passes, while it is the profiler."""

    def __init__(self) -> None:
        self.executed = Passed()
        self.data = Passed()

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        """Take note of a call or a return."""
        code = frame.f_code
        if code.co_filename == "<string>" and event == "call":  # generated constructors
            made = frame.f_locals.get("self", frame.f_locals.get("_cls"))
            kind = made if isinstance(made, type) else type(made)
            if kind.__module__.startswith("core."):
                self.executed.classes.add(kind.__name__)
        elif event == "call" and is_counted(code):
            self.executed.add(frame)
            names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            self._note(frame, [frame.f_locals.get(name) for name in names])
        elif event == "return" and is_counted(code):
            self._note(frame, [argument])

    def _note(self, frame: FrameType, values: list[object]) -> None:
        if not any(is_data(value) for value in values):
            return
        self.data.add(frame)
        for value in values:
            for item in (value, *first_items(value)):
                if type(item).__name__ in FORMS:
                    self.data.add_class(item)


@dataclass
class World:
    """An application over the embedded Cosmos DB, in which everything ran once before."""

    application: Application
    body: bytes
    poison: dict[str, Any]
    letter: str

    async def event(self) -> None:
        await self.application.project("followship", [followed(1, 2)])

    async def command(self) -> None:
        await self.application.execute("follow", self.body, idempotency_key="k")

    async def entity(self) -> None:
        await self.application.load_entity("followship", str(user(1)))

    async def poisoned(self) -> None:
        await self.application.project("followship", [self.poison])

    async def replay(self) -> None:
        await self.application.dead_letters.replay(self.letter)

    async def status(self) -> None:
        await self.application.status.report()


@pytest.fixture
def replica_lag() -> float:
    """Reads see every write, so that a path is the same in every run."""
    return 0.0


@pytest.fixture
async def world(environ: dict[str, str], database: DatabaseProxy) -> AsyncIterator[World]:
    events = database.get_container_client("events")
    poison, mended = followed(9, 10, data={"user_id": "no"}), followed(5, 6)
    await events.create_item(followed(1, 2))
    application = Application.discover(follows, environ)
    body = json.dumps({"user_id": str(user(1)), "to_follow": str(user(2))}).encode()
    await application.project("followship", [followed(7, 8)])
    await application.execute("follow", body)
    await application.project("followship", [{**mended, "data": {}}])
    (letter,) = await dead_letters_of(application.dead_letters)
    await events.create_item(mended)
    await application.status.report()
    yield World(application, body, poison, letter.id)
    await application.close()


PATHS: dict[str, Callable[[World], Awaitable[None]]] = {
    "event": World.event,
    "poison": World.poisoned,
    "command": World.command,
    "entity": World.entity,
    "replay": World.replay,
    "status": World.status,
}


@pytest.mark.skipif(sys.version_info < (3, 11), reason="code objects have no qualified names")
@pytest.mark.parametrize("path", PATHS)
async def test_a_path_crosses_no_more_than_its_limit(world: World, path: str) -> None:
    """Counted in functions, files and classes, in a process that is warm."""
    walk, (data, executed) = Walk(), LIMITS[path]

    sys.setprofile(walk)
    try:
        await PATHS[path](world)
    finally:
        sys.setprofile(None)

    assert is_within(walk.data.count, data), str(walk.data)
    assert is_within(walk.executed.count, executed), str(walk.executed)


def test_the_forms_of_an_event_are_classes_that_exist() -> None:
    """Otherwise less would be counted than is passed."""
    modules = [
        importlib.import_module(module.name)
        for module in pkgutil.walk_packages(core.__path__, "core.")
    ]
    known = {name for module in modules for name in vars(module)}

    assert FORMS - {"Follow", "Followed", "WasFollowed"} <= known
