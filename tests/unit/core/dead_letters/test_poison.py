from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from core import projection
from core.dead_letters.poison import ProjectionFailure
from core.errors import HopLimitError, ProjectionFailedError
from core.model.registry import ProjectionModule
from tests.apps.follows.followship import Followed, WasFollowed
from tests.support import derived, followed


def helper(number: int) -> int:
    return dict[int, int]()[number]


@projection(name="failing.out")
def failing(event: Followed) -> Iterator[WasFollowed]:
    yield WasFollowed(user_id=event.user_id, follower=event.to_follow)
    helper(3)


MODULE = ProjectionModule(name="failing", projections=(failing,))


def test_the_place_is_the_innermost_line_of_the_author() -> None:
    """Its file, function and text, not its number, so that other edits do not move it."""
    _, (poison,) = derived(MODULE, followed(1, 2))

    assert poison.failure.place == "test_poison.py helper: return dict[int, int]()[number]"
    assert poison.failure.exception_type == "KeyError"
    assert "KeyError: 3" in poison.failure.traceback


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"data": {"user_id": "SECRET"}}, "user_id: uuid_parsing; to_follow: missing"),
        ({"version": "SECRET"}, "version: int_type"),
    ],
)
def test_the_place_of_what_cannot_be_read_is_its_fields(
    changes: dict[str, Any], place: str
) -> None:
    """With the types of their errors, without values."""
    _, (poison,) = derived(MODULE, followed(1, 2, **changes))

    assert (poison.failure.place, poison.failure.exception_type) == (place, None)


def test_what_failed_outside_of_the_author_s_code_has_no_place() -> None:
    """The error tells enough."""
    limit = ProjectionFailure.from_error(HopLimitError("too many"), MODULE.package)
    foreign = ProjectionFailedError("x")
    try:
        int("x")
    except ValueError as error:
        foreign.__cause__ = error.with_traceback(None)

    assert (limit.place, limit.exception_type, limit.traceback) == ("", None, "")
    assert ProjectionFailure.from_error(foreign, MODULE.package).place == ""
