from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field

from core import Command
from core.model.canonical import request_hash


class Label(BaseModel):
    names: set[str] = set()
    path: tuple[int, ...] = ()


class Tag(Command):
    name: str
    tags: frozenset[str] = frozenset()
    label: Label | None = None
    labels: list[Label] = Field(default=[])
    by_name: dict[str, set[int]] = Field(default={})
    pair: tuple[set[int], list[int]] = (set(), [])
    free: Any = None


class Retag(Tag):
    pass


def hashed(text: str, model: type[Command] = Tag) -> str:
    model.model_validate_json(text)
    return request_hash(model, text.encode())


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param('{"name":"a","free":1}', '{ "free": 1, "name": "\\u0061" }', id="layout"),
        pytest.param(
            '{"name":"a","tags":["x","y"]}', '{"name":"a","tags":["y","x","y"]}', id="a set"
        ),
        pytest.param(
            '{"name":"a","label":{"names":["x","y"]}}',
            '{"name":"a","label":{"names":["y","x"]}}',
            id="in an optional model",
        ),
        pytest.param(
            '{"name":"a","labels":[{"names":["x","y"]}]}',
            '{"name":"a","labels":[{"names":["y","x"]}]}',
            id="in a list",
        ),
        pytest.param(
            '{"name":"a","by_name":{"n":[1,2]}}', '{"name":"a","by_name":{"n":[2,1]}}', id="by name"
        ),
        pytest.param(
            '{"name":"a","pair":[[1,2],[]]}', '{"name":"a","pair":[[2,1],[]]}', id="in a tuple"
        ),
    ],
)
def test_the_same_request_has_the_same_hash(first: str, second: str) -> None:
    """However it is written."""
    assert hashed(first) == hashed(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param('{"name":"a"}', '{"name":"b"}', id="a value"),
        pytest.param('{"name":"a"}', '{"name":"a","tags":[]}', id="a default that was sent"),
        pytest.param(
            '{"name":"a","labels":[{"path":[1,2]}]}',
            '{"name":"a","labels":[{"path":[2,1]}]}',
            id="the order of a tuple",
        ),
        pytest.param(
            '{"name":"a","pair":[[],[1,2]]}', '{"name":"a","pair":[[],[2,1]]}', id="of a list"
        ),
        pytest.param('{"name":"a","free":[1,2]}', '{"name":"a","free":[2,1]}', id="of anything"),
    ],
)
def test_another_request_has_another_hash(first: str, second: str) -> None:
    """Nothing that may matter is ignored."""
    assert hashed(first) != hashed(second)


def test_another_command_has_another_hash() -> None:
    """Even with the same fields."""
    assert hashed('{"name":"a"}') != hashed('{"name":"a"}', Retag)


def test_the_hash_is_frozen() -> None:
    """A client may repeat a request over releases of the application."""
    assert hashed('{"name":"ü","tags":["y","x"]}') == (
        "1:49ff80af4fc0030225a4ac3a0f3f5e5cdc4c9095dde725c15fef4bd76b0012a7"
    )


def test_a_field_with_a_default_may_be_added() -> None:
    """What was sent is compared, not what it means to a version of the code."""

    class Before(Command, name="tag"):
        name: str

    class After(Before, name="tag"):
        tags: frozenset[str] = frozenset()

    assert hashed('{"name":"a"}', Before) == hashed('{"name":"a"}', After) == hashed('{"name":"a"}')
