"""Events: what an author declares."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from core.errors import DefinitionError
from core.model.entity_ids import id_field
from core.model.names import validate_entity_name

Fields = dict[str, Any]
"""The fields of an event as JSON."""


class Event(BaseModel):
    """An immutable fact about one entity.

    Declare the entity that it belongs to, and the field that has the id of that entity:

        class Followed(Event, entity="followship"):
            user_id: Id[UUID]
            to_follow: UUID

    An id of several fields is a property instead:

            @property
            def entity_id(self) -> str:
                return f"{self.day}~{self.shop}"

    The name of the class is stored as the event's type, unless `name` is; `version` is the version
    of its fields.
    """

    # Numbers that JSON does not have must appear in the text to be rejected, not stored as null.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    stored_name: ClassVar[str]
    entity: ClassVar[str]
    version: ClassVar[int]
    upcasts: ClassVar[dict[int, Callable[[Fields], Fields]]]

    def __init_subclass__(
        cls,
        entity: str | None = None,
        version: int = 1,
        name: str | None = None,
        **kwargs: Any,  # noqa: ANN401 - pydantic's class options, passed on
    ) -> None:
        super().__init_subclass__(**kwargs)
        if entity is None:
            raise DefinitionError(
                f'Event {cls.__name__} names no entity: class {cls.__name__}(Event, entity="...").'
            )
        cls.stored_name = name or cls.__name__
        cls.entity = validate_entity_name(entity)
        cls.version = version
        cls.upcasts = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:  # noqa: ANN401 - pydantic's
        super().__pydantic_init_subclass__(**kwargs)
        name = id_field(cls)
        if name is None:
            return
        if "entity_id" in vars(cls):
            raise DefinitionError(
                f"Event {cls.__name__} has the id {name} and defines entity_id → keep one of them."
            )
        # The property is set here, not looked up in each event: it is read for every derived event.
        setattr(cls, "entity_id", property(attrgetter(name)))  # noqa: B010 - mypy sees no property

    @property
    def entity_id(self) -> object:
        """The id of the entity that the event belongs to, which becomes part of the stream's id."""
        raise DefinitionError(_no_id(type(self)))


def check_entity_id(event: type[Event]) -> None:
    """Return if an event says which entity it belongs to.

    Raises:
        DefinitionError: If it does not.
    """
    if event.entity_id is Event.entity_id:
        raise DefinitionError(_no_id(event))


def _no_id(event: type[Event]) -> str:
    return (
        f"Event {event.__name__} does not say which {event.entity} it belongs to → mark the field "
        "that does: Id[UUID]."
    )
