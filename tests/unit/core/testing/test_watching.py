from __future__ import annotations

import gc
import sys
import time
from typing import Any

import pytest

from core.testing.watching import forbid_impure_calls, impure_calls

IMPURE = [
    ("import datetime", "datetime.datetime.now()", "datetime.now"),
    ("import datetime", "datetime.datetime.now(datetime.timezone.utc)", "datetime.now"),
    ("import datetime", "datetime.date.today()", "date.today"),
    ("from time import time", "time()", "time.time"),
    ("import time", "time.perf_counter_ns()", "time.perf_counter_ns"),
    ("import random", "random.random()", "Random.random"),
    ("import random", "random.choice([1, 2])", "Random.getrandbits"),
    ("import random", "random.Random()", "__init__"),
    ("import random", "random.SystemRandom().random()", "urandom"),
    ("import secrets", "secrets.token_hex()", "urandom"),
    ("import uuid", "uuid.uuid4()", "urandom"),
    ("import uuid", "uuid.uuid1()", "generate_time_safe"),
    ("import os", "os.environ.get('NAME')", "__getitem__"),
    ("import os", "os.getenv('NAME')", "__getitem__"),
    ("import os", "dict(os.environ)", "__iter__"),
    ("", "open('/dev/null').close()", "open"),
    ("import pathlib", "pathlib.Path('/dev/null').read_bytes()", "uses a file"),
    ("import os", "os.listdir('.')", "listdir"),
    ("import pathlib", "pathlib.Path('.').exists()", "uses a file"),
    ("import socket", "socket.socket().close()", "__init__"),
    ("import threading", "threading.Thread(target=int).start()", "thread"),
    ("", "id(3)", "id"),
]
PURE = [
    ("import random", "random.Random(3).choice([1, 2])"),
    ("import uuid", "uuid.uuid5(uuid.NAMESPACE_DNS, 'example')"),
    ("import hashlib", "hashlib.sha256(b'example').hexdigest()"),
    ("import logging", "logging.getLogger('example').warning('a line')"),
    ("import copy", "copy.deepcopy({1: [2]})"),
    ("import pathlib", "pathlib.PurePath('a') / 'b'"),
    ("import datetime", "datetime.datetime.fromisoformat('2026-01-01T00:00:00')"),
    ("import sys; sys.modules.pop('colorsys', None)", "__import__('colorsys')"),
    ("import warnings", "warnings.warn('a warning')"),
]


def _run(setup: str, code: str) -> list[str]:
    """The impure calls of the code, which is the first line of a file."""
    names: dict[str, Any] = {}
    exec(setup, names)  # noqa: S102 - of the tables above
    compiled = compile(code, "/app/author.py", "exec")
    with impure_calls() as calls:
        exec(compiled, names)  # noqa: S102 - of the tables above
    return [str(call) for call in calls]


@pytest.mark.parametrize(("setup", "code", "name"), IMPURE, ids=[code for _, code, _ in IMPURE])
def test_impure_calls_are_seen(setup: str, code: str, name: str) -> None:
    """Whatever a result may depend on besides the arguments, with the author's line."""
    first = _run(setup, code)[0]
    assert first.startswith("author.py:1 ")
    assert name in first.partition("→")[0]


@pytest.mark.filterwarnings("ignore:a warning")
@pytest.mark.parametrize(("setup", "code"), PURE, ids=[code for _, code in PURE])
def test_pure_calls_are_let_through(setup: str, code: str) -> None:
    """Seeded random numbers, hashes, log lines, imports and warnings."""
    assert _run(setup, code) == []


def test_the_hook_of_a_profiler_comes_back() -> None:
    """The hook that was set before is set afterward."""

    def hook(*_: object) -> None:
        pass

    sys.setprofile(hook)
    try:
        with impure_calls():
            pass
        assert sys.getprofile() is hook
    finally:
        sys.setprofile(None)


class _Cycle:
    """An object that only the garbage collector finalizes."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        time.time()


def test_finalizers_of_other_objects_are_not_seen() -> None:
    """Whenever the garbage collector would run."""
    threshold = gc.get_threshold()
    _Cycle()
    try:
        with impure_calls() as calls:
            gc.set_threshold(1)
            kept = [[number] for number in range(100)]
    finally:
        gc.set_threshold(*threshold)
    assert len(kept) == 100
    assert calls == []
    assert gc.isenabled()


def test_the_error_names_line_and_remedy() -> None:
    """What an author reads."""
    with pytest.raises(AssertionError) as failure, forbid_impure_calls("Projection a.b"):
        time.time()
    first, second = str(failure.value).splitlines()
    assert first == "Projection a.b must be pure:"
    assert second.startswith("test_watching.py:")
    assert second.endswith(" reads the clock (time.time) → take the time from the event")
