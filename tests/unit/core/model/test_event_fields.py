from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from core import Event, Value
from core.errors import DefinitionError
from core.model.event_fields import check_event_fields


class Line(Value):
    sku: str
    quantity: int = Field(gt=0)
    price: Decimal
    parts: tuple[Line, ...] = ()


class Loose(BaseModel):
    sku: str


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)

    share: float


class Tagged(Value):
    tags: set[str]


class Share(Value):
    share: float


def _event(annotation: Any) -> type[Event]:
    return create_model(
        "Ordered", __base__=Event, __cls_kwargs__={"entity": "order"}, lines=annotation
    )


@pytest.mark.parametrize(
    "annotation", [str, Decimal, Line, tuple[Line, ...], dict[str, Line], Line | None, list[int]]
)
def test_fields_that_every_host_stores_alike(annotation: Any) -> None:
    """Whatever JSON has, and values."""
    check_event_fields(_event(annotation))


@pytest.mark.parametrize(
    "annotation", [set, set[str], frozenset[int], set[str] | None, dict[str, set[str]], Tagged]
)
def test_sets_are_rejected(annotation: Any) -> None:
    """The order of their items differs from process to process."""
    message = (
        "Ordered.lines is a set: JSON has none and its order is not fixed → tuple[str, ...], "
        "filled with tuple(sorted(...))"
    )
    with pytest.raises(DefinitionError) as failure:
        check_event_fields(_event(annotation))
    assert str(failure.value) == message


@pytest.mark.parametrize(
    ("annotation", "name"),
    [(Loose, "Loose"), (tuple[Loose, ...], "Loose"), (Loose | None, "Loose"), (Frozen, "Frozen")],
)
def test_models_that_are_no_values_are_rejected(annotation: Any, name: str) -> None:
    """An event would change with them, or they would store NaN as null."""
    with pytest.raises(DefinitionError) as failure:
        check_event_fields(_event(annotation))
    message = f"Ordered.lines: {name} is a model but no value → class {name}(Value)"
    assert str(failure.value) == message


def test_a_number_that_json_does_not_have_is_not_stored_as_null() -> None:
    """It stays in the text, where the writer rejects it."""
    event = _event(Share).model_validate({"lines": Share(share=float("nan"))})

    assert event.model_dump_json() == '{"lines":{"share":NaN}}'


def test_values_are_compared_by_their_fields_and_cannot_change() -> None:
    """Like events."""
    line = Line(sku="tea", quantity=2, price=Decimal("3.50"))

    assert line == Line(sku="tea", quantity=2, price=Decimal("3.50"))
    with pytest.raises(ValidationError):
        line.quantity = 3  # type: ignore[misc]  # what is tested
    with pytest.raises(ValidationError):
        Line(sku="tea", quantity=0, price=Decimal(1))
