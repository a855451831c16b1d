"""Calls that a pure function must not make, seen by Python's profiling hook while it runs."""

from __future__ import annotations

import gc
import os
import random
import socket
import subprocess
import sys
import sysconfig
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType

_ENGINE = str(Path(__file__).parent.parent)
_LIBRARIES = tuple(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib"))

_ALLOWED = ("<frozen importlib", "/importlib/", "/logging/", "/warnings.py")
"""What may do anything: imports, log lines and warnings do not change what a function returns."""


class _Kind(NamedTuple):
    what: str
    remedy: str


_CLOCK = _Kind("reads the clock", "take the time from the event")
_RANDOM = _Kind("draws a random number", "derive it from the event: uuid5, random.Random(seed)")
_ENVIRONMENT = _Kind("reads the environment", "store the value in the event")
_FILE = _Kind("uses a file", "store the content in the event or in a constant")
_NETWORK = _Kind(
    "uses the network", "call it before the command, and store the result in the event"
)
_PROCESS = _Kind(
    "starts a process", "call it before the command, and store the result in the event"
)
_THREAD = _Kind("starts a thread", "compute in the function itself")
_ADDRESS = _Kind("uses the address of an object", "compare values")

_CLOCKS = ("time", "monotonic", "perf_counter", "process_time", "thread_time", "clock_gettime")
_BUILTIN: dict[tuple[str | None, str], _Kind | None] = {
    **{("time", f"{name}{suffix}"): _CLOCK for name in _CLOCKS for suffix in ("", "_ns")},
    **{(None, f"datetime.{name}"): _CLOCK for name in ("now", "utcnow", "today")},
    (None, "date.today"): _CLOCK,
    ("time", "sleep"): _CLOCK,
    ("_uuid", "generate_time_safe"): _CLOCK,
    **{(system, "urandom"): _RANDOM for system in ("posix", "nt")},
    **{(system, "fspath"): None for system in ("posix", "nt")},
    **{(module, name): _FILE for module in ("io", "_io") for name in ("open", "open_code")},
    **{("posix", name): _PROCESS for name in ("fork", "posix_spawn", "system")},
    **{("_thread", name): _THREAD for name in ("start_new_thread", "start_joinable_thread")},
    ("_posixsubprocess", "fork_exec"): _PROCESS,
    ("builtins", "id"): _ADDRESS,
}
_WHOLE_MODULES = {"posix": _FILE, "nt": _FILE, "_socket": _NETWORK}
_PYTHON: dict[CodeType, _Kind] = {
    type(os.environ).__getitem__.__code__: _ENVIRONMENT,
    type(os.environ).__iter__.__code__: _ENVIRONMENT,
    socket.socket.__init__.__code__: _NETWORK,
    subprocess.Popen.__init__.__code__: _PROCESS,
}
_SEEDING = random.Random.__init__.__code__
_SHARED_RANDOM = getattr(random, "_inst", None)


class ImpureCall(NamedTuple):
    """A call that a pure function must not make.

    Attributes:
        location: The author's file and line.
        what: What the call does, with the name of what is called.
        remedy: What to do instead.
    """

    location: str
    what: str
    remedy: str

    def __str__(self) -> str:
        """Return it as a line for an error message."""
        return f"{self.location} {self.what} → {self.remedy}"


@contextmanager
def impure_calls() -> Iterator[list[ImpureCall]]:
    """Record the impure calls of the block, without changing what any of them does.

    Imports, log lines and warnings may do what they like. Each line of the author is recorded once
    for each kind.
    """
    calls: dict[ImpureCall, None] = {}
    recorded: list[ImpureCall] = []

    def record(frame: FrameType, event: str, argument: Any) -> None:  # noqa: ANN401 - any callable
        kind = _kind_of(frame, event, argument)
        if kind is None:
            return
        author = _author_of(frame, direct=kind is _ADDRESS)
        if author is not None:
            name = _name_of(frame, event, argument)
            where = f"{Path(author.f_code.co_filename).name}:{author.f_lineno}"
            calls[ImpureCall(where, f"{kind.what} ({name})", kind.remedy)] = None

    previous, collects = sys.getprofile(), gc.isenabled()
    gc.disable()  # finalizers of other objects would run in the midst of the author's code
    sys.setprofile(record)
    try:
        yield recorded
    finally:
        sys.setprofile(previous)
        if collects:
            gc.enable()
        recorded.extend(calls)


def _kind_of(frame: FrameType, event: str, argument: Any) -> _Kind | None:  # noqa: ANN401 - as above
    if event == "call":
        if frame.f_code is _SEEDING and type(frame.f_locals["self"]) is random.Random:
            return _RANDOM if frame.f_locals["x"] is None else None
        return _PYTHON.get(frame.f_code)
    if event != "c_call":
        return None
    owner = getattr(argument, "__self__", None)
    if owner is not None and owner is _SHARED_RANDOM:
        return _RANDOM
    module = getattr(argument, "__module__", None)
    key = (module, argument.__qualname__)
    return _BUILTIN[key] if key in _BUILTIN else _WHOLE_MODULES.get(str(module))


def _author_of(frame: FrameType, *, direct: bool) -> FrameType | None:
    """Return the innermost frame of the author's code, None if something allowed lies between.

    With `direct` it must be the calling frame itself: libraries use addresses for their own ends.
    """
    current: FrameType | None = frame
    while current is not None:
        name = current.f_code.co_filename
        if any(part in name for part in _ALLOWED):
            return None
        if not name.startswith(("<frozen", _ENGINE, *_LIBRARIES)):
            return current
        if direct:
            return None
        current = current.f_back
    return None


def _name_of(frame: FrameType, event: str, argument: Any) -> str:  # noqa: ANN401 - as above
    if event == "call":
        return frame.f_code.co_name
    if argument.__module__ in {None, "builtins"}:
        return str(argument.__qualname__)
    return f"{argument.__module__}.{argument.__name__}"


@contextmanager
def forbid_impure_calls(subject: str) -> Iterator[None]:
    """Fail after the block if it made a call that a pure function must not make.

    Args:
        subject: What runs in the block, for the error.

    Raises:
        AssertionError: If there was such a call, with the line of the author's code.
    """
    with impure_calls() as calls:
        yield
    if calls:
        raise AssertionError("\n".join([f"{subject} must be pure:", *map(str, calls)]))
