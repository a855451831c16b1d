from __future__ import annotations

from typing import Any

import pytest

from core import Event, upcast
from core.errors import DefinitionError, InvalidEventError
from core.model.documents import Envelope, parse_event
from core.testing import read_as


class Placed(Event, entity="order", version=3):
    order_id: str
    total: int
    currency: str

    @property
    def entity_id(self) -> str:
        return self.order_id


@upcast(Placed, from_version=1)
def with_total(data: dict[str, Any]) -> dict[str, Any]:
    data["total"] = data.pop("cents") // 100
    return data


@upcast(Placed, from_version=2)
def in_euros(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "currency": "EUR"}


CURRENT = Placed(order_id="1", total=7, currency="EUR")


@pytest.mark.parametrize(
    ("version", "data"),
    [
        (1, {"order_id": "1", "cents": 700}),
        (2, {"order_id": "1", "total": 7}),
        (3, {"order_id": "1", "total": 7, "currency": "EUR"}),
    ],
)
def test_every_version_is_read(version: int, data: dict[str, Any]) -> None:
    """Through the upcasts from its version on, without a change to what was stored."""
    stored = dict(data)

    assert read_as(Placed, version, data) == CURRENT
    assert data == stored


@pytest.mark.parametrize(
    ("version", "message"),
    [
        (
            0,
            r"@upcast\(Placed, from_version=0\): Placed has version 3 → name a version from 1 to 2",
        ),
        (
            3,
            r"@upcast\(Placed, from_version=3\): Placed has version 3 → name a version from 1 to 2",
        ),
        (2, r"@upcast\(Placed, from_version=2\) is declared twice: in_euros and in_euros\."),
    ],
)
def test_an_upcast_that_cannot_be_right_is_rejected(version: int, message: str) -> None:
    """There is nothing to convert it from or to, or there are two."""
    with pytest.raises(DefinitionError, match=message):
        upcast(Placed, from_version=version)(in_euros)


def _read(data: dict[str, Any]) -> Event:
    stored = {"id": "1", "streamId": "order-1", "type": "Placed", "version": 1, "data": data}
    return parse_event(Envelope.from_document({**stored, "time": "2026-01-01T00:00:00Z"}), Placed)


def test_an_upcast_that_fails_makes_the_event_invalid() -> None:
    """The message has no values of fields, as it is logged."""
    with pytest.raises(InvalidEventError) as failure:
        _read({"order_id": "1", "secret": 7})
    assert str(failure.value) == "The upcast of Placed from version 1 raised KeyError."


def test_an_upcast_returns_a_dictionary(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever else it returns makes the event invalid."""
    monkeypatch.setitem(Placed.upcasts, 1, lambda _: None)
    with pytest.raises(InvalidEventError, match="from version 1 returned NoneType, no dictionary"):
        _read({"order_id": "1"})
