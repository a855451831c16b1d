from __future__ import annotations

from pathlib import Path

import pytest

from core import Entity
from core.errors import DefinitionError
from core.model.documents import to_document
from core.model.graph import edges
from core.model.registry import Registry
from tests.unit.core.model.packages import EVENTS, PROJECTION, package

RENAMED = """
module_name = "orders"
from collections.abc import Iterator
from core import Command, Entity, Event, Id, projection, reduces

class OrderSubmitted(Event, entity="order", name="OrderPlaced"):
    order_id: Id[str]

class Noted(Event, entity="order"):
    order_id: Id[str]

class PurchaseOrder(Entity, name="order"):
    is_placed: bool = False

    @reduces
    def placed(self, event: OrderSubmitted) -> "PurchaseOrder":
        return self.evolve(is_placed=True)

class Pay(Command, name="pay_order"):
    order_id: Id[str]

    def handle(self, order: PurchaseOrder) -> Iterator[OrderSubmitted]:
        yield OrderSubmitted(order_id=self.order_id)

@projection
def note(event: OrderSubmitted) -> Iterator[Noted]:
    yield Noted(order_id=event.order_id)
"""


def test_stored_names_outlive_those_of_python(tmp_path: Path) -> None:
    """Files and classes can be renamed without a change to what is stored."""
    registry = Registry.discover(package(tmp_path, "renamed", sales=RENAMED))

    assert list(registry.modules) == ["orders"]
    assert list(registry.projections) == ["orders.note"]
    assert list(registry.events) == ["OrderPlaced", "Noted"]
    assert (list(registry.entities), list(registry.commands)) == (["order"], ["pay_order"])
    assert list(registry.module("orders").projections_by_type) == ["OrderPlaced"]
    assert edges(registry.projections.values())[0].source == "OrderPlaced"
    event = registry.events["OrderPlaced"].model_validate({"order_id": "7"})
    stored = to_document(event, "1")
    assert (stored["type"], stored["streamId"]) == ("OrderPlaced", "order-7")


def test_a_subclass_does_not_inherit_the_stored_name(tmp_path: Path) -> None:
    """Otherwise two types would be stored under one name."""
    declared = 'class C(Base, entity="thing", name="Old"): pass\nclass D(C, entity="thing"): pass'

    registry = Registry.discover(package(tmp_path, "inherited", m=f"{EVENTS}{declared}"))

    assert sorted(registry.events) == ["A", "B", "Base", "D", "Old"]


OTHER = PROJECTION.replace("def f", "def g")
NAMED = "@projection(name='m.g')"
DO = 'class Do(Command, name="Do"):\n    def handle(self): return []'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'class C(Base, entity="thing", name="$c"): pass',
            '{m}:12 event C has the name "$c" → name=',
        ),
        (
            'class C(Base, entity="thing", name="A"): pass',
            "event A is declared in {m}:10 and {m}:12 →",
        ),
        ('class Thing(Entity, name="a-b"): pass', '{m}:12 entity Thing has the name "a-b" → name='),
        (
            'class Thing(Entity, retired=("A",)): pass',
            "{m}:10 event A is retired by entity Thing → remove its class, or the name from",
        ),
        (DO, '{m}:12 command Do has the name "Do" → name="..." of small letters, digits and under'),
        (
            f'{PROJECTION}\nmodule_name = "late"',
            "{m}: module_name stands below a projection, which",
        ),
        ('module_name = "a-b"', "{m}: module_name is 'a-b' → letters, digits and underscores"),
        (
            OTHER + PROJECTION.replace("@projection", NAMED),
            "projection m.g is declared in {m}:13 and {m}:17 → @projection(name=",
        ),
    ],
)
def test_unusable_names_are_rejected(
    text: str, message: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """The error says where the name is declared, and how to mend it."""
    name = f"unusable_{request.node.callspec.indices['text']}"
    folder = package(tmp_path, name, m=f"{EVENTS}{text}\n")

    with pytest.raises(DefinitionError) as caught:
        Registry.discover(folder)

    assert message.replace("{m}", str(tmp_path / name / "m.py")) in str(caught.value)


def test_two_files_cannot_be_one_module(tmp_path: Path) -> None:
    """Two functions would share leases."""
    head = 'module_name = "one"\nfrom core import projection\nfrom same_module.one import *\n'
    two = head + PROJECTION.replace("def f", "def g")
    folder = package(tmp_path, "same_module", one=f"{EVENTS}{PROJECTION}", two=two)

    with pytest.raises(
        DefinitionError, match=r"module one is .*one\.py and .*two\.py → module_name"
    ):
        Registry.discover(folder)


def test_retired_names_are_a_tuple() -> None:
    """A text would hide every type whose name is a part of it."""
    with pytest.raises(DefinitionError, match=r'retired=\("Noted",\) needs a comma'):

        class Thing(Entity, retired="Noted"):
            pass
