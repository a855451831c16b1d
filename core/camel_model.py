"""The base model of what the engine shows or stores as JSON."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class CamelModel(BaseModel):
    """An immutable value whose JSON has its fields in camelCase.

    Field `stream_id` is `streamId` in JSON. A docstring after a field is its description in the
    OpenAPI document.
    """

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
        field_title_generator=lambda name, _: name.replace("_", " ").capitalize(),
    )

    def to_dict(self) -> dict[str, Any]:
        """Return the value as JSON has it."""
        return self.model_dump(mode="json", by_alias=True)
