"""Models whose classes have a stored name."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel

from core.model.names import snake_case


class NamedModel(BaseModel):
    """A model with a name in routes and documents: `name`, or that of the class in snake case."""

    stored_name: ClassVar[str]

    def __init_subclass__(
        cls,
        name: str | None = None,
        **kwargs: Any,  # noqa: ANN401 - pydantic's class options, passed on
    ) -> None:
        super().__init_subclass__(**kwargs)
        cls.stored_name = name or snake_case(cls.__name__)
