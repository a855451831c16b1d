from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from core import Command
from core.errors import FieldError, InvalidRequestError, RequestTooLargeError
from core.model.commands import MAX_BODY_BYTES, parse_body, parse_command


class Point(BaseModel):
    x: float
    label: str = ""


@dataclass
class Size:
    width: float


class Draw(Command):
    point: Point | None = None
    points: tuple[Point, ...] = ()
    by_name: Mapping[str, Point] | None = None
    size: Size | None = None
    number: int = 0
    amount: Decimal = Decimal(0)
    text: str = ""
    anything: Any = None


FINITE = "Input should be a finite number"


@pytest.mark.parametrize(
    ("body", "field", "detail"),
    [
        ('{"point": {"x": NaN}}', "point.x", FINITE),
        ('{"point": {"x": -Infinity}}', "point.x", FINITE),
        ('{"point": {"x": 1e999}}', "point.x", FINITE),
        ('{"point": {"x": ' + "9" * 300 + "e99}}", "point.x", FINITE),
        ('{"points": [{"x": 1}, {"x": -12.5E+400}]}', "points.1.x", FINITE),
        ('{"by_name": {"a": {"x": NaN}}}', "by_name.a.x", FINITE),
        ('{"size": {"width": Infinity}}', "size.width", FINITE),
        ('{"anything": [{"deep": [1e999]}]}', "anything.0.deep.0", FINITE),
        ('{"amount": "NaN"}', "amount", FINITE),
        ('{"number": ' + "9" * 400 + "}", "number", FINITE),
        ('{"number": ' + "9" * 5_000 + "}", "", "Invalid JSON: number out of range"),
        ('{"number": true}', "number", "Input should be a valid integer"),
        ('{"point": {"x": "1.5"}}', "point.x", "Input should be a valid number"),
        ('{"size": {"width": "1.5"}}', "size.width", "Input should be a valid number"),
        ('{"points": [{"x": 1, "label": 7}]}', "points.0.label", "Input should be a valid string"),
        ('{"point": {"x": 1, "colour": 2}}', "point.colour", "Extra inputs are not permitted"),
        ('{"colour": 2}', "colour", "Extra inputs are not permitted"),
        ('{"text": "' + "a" * 65_537 + '"}', "text", "String should have at most 65536 characters"),
        ('{"text": "\\ud800"}', "", "Invalid JSON"),
        ("[" * 500 + "]" * 500, "", "Invalid JSON: recursion limit exceeded"),
        ("[]", "", "Input should be an object"),
        ("null", "", "Input should be an object"),
        ("", "", "Invalid JSON: EOF"),
    ],
)
def test_an_invalid_body_is_refused_with_its_field(body: str, field: str, detail: str) -> None:
    """Nested models are as strict as the command."""
    with pytest.raises(InvalidRequestError, match="not a valid command 'draw'") as caught:
        parse_command(Draw, body.encode())

    assert [(error.field, error.detail[: len(detail)]) for error in caught.value.errors] == [
        (field, detail)
    ]


@pytest.mark.parametrize("body", [b"\xff", b'{"text": "\xed\xa0\x80"}', b"\xef\xbb\xbf{}", b"\x00"])
def test_a_body_that_is_no_text_is_refused(body: bytes) -> None:
    """Invalid UTF-8, half a character, a byte order mark."""
    with pytest.raises(InvalidRequestError) as caught:
        parse_command(Draw, body)

    assert caught.value.errors[0].detail.startswith("Invalid JSON")


def test_a_body_over_1_mb_is_refused() -> None:
    """Before it is parsed."""
    with pytest.raises(RequestTooLargeError, match=f"the limit is {MAX_BODY_BYTES}"):
        parse_command(Draw, b"x" * (MAX_BODY_BYTES + 1))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.7976931348623157e308", 1.7976931348623157e308),
        ("-1e-999", 0.0),
        ("99999999999999999", 1e17),
        ("1E10", 1e10),
        ("7", 7.0),
    ],
)
def test_numbers_that_a_double_holds_are_read(text: str, value: float) -> None:
    """Large, small, and without a point."""
    command = parse_command(Draw, f'{{"point": {{"x": {text}}}, "text": "NaN 1e999"}}'.encode())

    assert isinstance(command, Draw)
    assert command.point == Point(x=value)


def test_a_model_that_takes_more_does_so_in_nested_models() -> None:
    """The configuration of the outermost model counts."""

    class Lenient(BaseModel):
        model_config = ConfigDict(extra="ignore")

        point: Point

    assert parse_body(Lenient, b'{"point": {"x": "1", "y": 2}, "z": 3}', "test") == Lenient(
        point=Point(x=1)
    )


def test_errors_show_no_values() -> None:
    """They may be secrets."""
    with pytest.raises(InvalidRequestError) as caught:
        parse_command(Draw, b'{"number": "s3cr3t"}')

    assert caught.value.errors == (
        FieldError(field="number", detail="Input should be a valid integer"),
    )
