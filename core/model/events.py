"""Events: what an author declares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from core.errors import DefinitionError
from core.model.names import validate_entity_name

Fields = dict[str, Any]
"""The fields of an event as JSON."""


class Event(BaseModel):
    """An immutable fact about one entity.

    Declare the entity that it belongs to, and the id of that entity by `entity_id`:

        class Followed(Event, entity="followship"):
            user_id: UUID
            to_follow: UUID

            @property
            def entity_id(self) -> UUID:
                return self.user_id

    The name of the class is stored as the event's type; `version` is the version of its fields.
    """

    # Numbers that JSON does not have must appear in the text to be rejected, not stored as null.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    entity: ClassVar[str]
    version: ClassVar[int]
    upcasts: ClassVar[dict[int, Callable[[Fields], Fields]]]

    def __init_subclass__(
        cls,
        entity: str | None = None,
        version: int = 1,
        **kwargs: Any,  # noqa: ANN401 - pydantic's class options, passed on
    ) -> None:
        super().__init_subclass__(**kwargs)
        if entity is None:
            raise DefinitionError(
                f'Event {cls.__name__} names no entity: class {cls.__name__}(Event, entity="...").'
            )
        cls.entity = validate_entity_name(entity)
        cls.version = version
        cls.upcasts = {}

    @property
    def entity_id(self) -> object:
        """The id of the entity that the event belongs to, which becomes part of the stream's id."""
        raise DefinitionError(f"Event {type(self).__name__} defines no entity_id.")
