from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator, Sequence
from typing import Any

import pytest

from core import Event, projection
from core.errors import DefinitionError
from core.model.projections import Projection


class A(Event, entity="thing"):
    @property
    def entity_id(self) -> str:
        return "1"


class B(A, entity="thing"):
    pass


class C(A, entity="thing"):
    pass


def to_iterator(event: A) -> Iterator[B]:
    yield B()


def to_generator(event: A) -> Generator[B, None, None]:
    yield B()


def to_list(event: A) -> list[B]:
    return [B()]


def to_tuple(event: A) -> tuple[B, ...]:
    return (B(),)


def to_iterable(event: A) -> Iterable[B]:
    return [B()]


def to_sequence(event: A) -> Sequence[B]:
    return [B()]


@pytest.mark.parametrize(
    "function", [to_iterator, to_generator, to_list, to_tuple, to_iterable, to_sequence]
)
def test_annotations_are_the_wiring(function: Callable[[Any], Iterable[Event]]) -> None:
    """Every usual form of "a collection of events" is understood."""
    declared = projection(function)

    assert (declared.source_types, declared.derived_types) == ((A,), (B,))
    assert list(declared(A())) == [B()]
    assert declared.name == f"test_projections.{function.__name__}"


def test_unions_give_several_types() -> None:
    """On either side."""

    def both(event: A | B) -> Iterator[B | C]:
        yield C()

    declared = projection(both)

    assert (declared.source_types, declared.derived_types) == ((A, B), (B, C))


def test_a_name_can_be_kept() -> None:
    """It is part of every derived id, so that renaming a function must not change it."""

    @projection(name="old.name", allow_cycle=True)
    def renamed(event: A) -> Iterator[B]:
        yield B()

    assert isinstance(renamed, Projection)
    assert (renamed.name, renamed.allow_cycle) == ("old.name", True)


def test_only_a_function_is_a_projection() -> None:
    """What has no name cannot be part of an id."""
    with pytest.raises(DefinitionError, match="A projection is a function"):
        projection(functools.partial(to_list))


def no_parameter() -> Iterator[B]:
    yield B()


def two_parameters(event: A, more: int) -> Iterator[B]:
    yield B()


def no_event(event: int) -> Iterator[B]:
    yield B()


def unannotated(event) -> Iterator[B]:  # type: ignore[no-untyped-def] # noqa: ANN001 - the case
    yield B()


def any_event(event: Event) -> Iterator[B]:
    yield B()


def no_result(event: A):  # type: ignore[no-untyped-def] # noqa: ANN201 - the case
    yield B()


def one_event(event: A) -> B:
    return B()


def a_dictionary(event: A) -> dict[str, B]:
    return {}


async def waiting(event: A) -> list[B]:
    return [B()]


async def streaming(event: A) -> AsyncIterator[B]:
    yield B()


def undefined(event: Undefined) -> Iterator[B]:  # type: ignore[name-defined] # noqa: F821 - the case
    yield B()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (no_parameter, "must take one event"),
        (two_parameters, "must take one event"),
        (no_event, "Annotate the parameter"),
        (unannotated, "Annotate the parameter"),
        (any_event, "Event is every type"),
        (no_result, "Annotate the result"),
        (one_event, "with a collection"),
        (a_dictionary, "Annotate the result"),
        (waiting, "is async"),
        (streaming, "is async"),
        (undefined, "'Undefined', which is not defined above it"),
    ],
)
def test_an_unusable_projection_is_rejected(function: Any, message: str) -> None:
    """The error names the projection and what to write."""
    with pytest.raises(DefinitionError, match=message) as caught:
        projection(function)

    assert function.__name__ in str(caught.value)
