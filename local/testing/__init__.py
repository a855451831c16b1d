"""The test kit's plugin for pytest, named in `pytest_plugins = ("local.testing",)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from core.model.entities import Entity
from core.model.events import Event
from core.testing.rendering import compare_fields
from core.testing.sentences import unended_sentences

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    """Fail a test that passes although one of its sentences has no end."""
    with unended_sentences() as problems:
        yield
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Return the fields in which events or entities differ, None for other comparisons."""
    if op != "==" or type(left) is not type(right):
        return None
    if not isinstance(left, (Event, Entity)) or not isinstance(right, (Event, Entity)):
        return None
    return [f"{type(left).__name__} == {type(right).__name__}", *compare_fields(right, left)]
