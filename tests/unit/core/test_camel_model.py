"""The base model of the engine's JSON."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from core.camel_model import CamelModel


class Shown(CamelModel):
    """A value that is shown."""

    stream_id: str
    """The stream."""


def test_json_is_in_camel_case() -> None:
    """Python code names the fields as usual."""
    assert Shown(stream_id="a-1").to_dict() == {"streamId": "a-1"}


def test_a_value_does_not_change() -> None:
    """It can be passed between rooms."""
    answer = Shown(stream_id="a-1")

    with pytest.raises(ValidationError):
        answer.stream_id = "a-2"  # type: ignore[misc] # what is tested


def test_the_schema_describes_the_fields() -> None:
    """With the names in JSON, by the docstrings."""
    schema = Shown.model_json_schema(mode="serialization")

    assert schema["properties"]["streamId"]["description"] == "The stream."
    assert schema["required"] == ["streamId"]
