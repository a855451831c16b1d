"""Values: what fields of events, commands and entities are made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """An immutable part of an event, a command or an entity, compared by its fields.

    class Line(Value):
        sku: str
        quantity: int = Field(gt=0)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")
