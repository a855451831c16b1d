from __future__ import annotations

from collections.abc import Iterator

import pytest

from core import Event, projection
from core.errors import ProjectionCycleError
from core.model.graph import Edge, check_acyclic, edges


class A(Event, entity="thing"):
    @property
    def entity_id(self) -> str:
        return "1"


class B(A, entity="thing"):
    pass


class C(A, entity="thing"):
    pass


@projection(name="ab")
def ab(event: A) -> Iterator[B]:
    yield B()


@projection(name="bc")
def bc(event: B) -> Iterator[C]:
    yield C()


@projection(name="ca")
def ca(event: C) -> Iterator[A]:
    yield A()


@projection(name="aa")
def aa(event: A) -> Iterator[A]:
    yield A()


@projection(name="meant", allow_cycle=True)
def meant(event: C) -> Iterator[A]:
    yield A()


def test_edges_come_from_the_annotations() -> None:
    """Known before anything runs."""
    assert edges([ab, bc]) == [
        Edge(source="A", target="B", projection="ab"),
        Edge(source="B", target="C", projection="bc"),
    ]


def test_a_chain_is_no_cycle() -> None:
    """Projections may follow from one another."""
    check_acyclic([ab, bc])


def test_a_cycle_is_spelled_out() -> None:
    """Event by event, with the projections between."""
    with pytest.raises(ProjectionCycleError) as caught:
        check_acyclic([ab, bc, ca])

    for step in ("-[ab]-> B", "-[bc]-> C", "-[ca]-> A"):
        assert step in str(caught.value)


def test_an_event_that_leads_to_itself_is_a_cycle() -> None:
    """The shortest one."""
    with pytest.raises(ProjectionCycleError, match=r"A -\[aa\]-> A"):
        check_acyclic([aa])


def test_a_cycle_that_is_meant_is_allowed() -> None:
    """Its author says so; the hop limit ends it."""
    check_acyclic([ab, bc, meant])
