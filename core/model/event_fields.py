"""What the fields of an event may not be, since every host must store the same."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel

from core.errors import DefinitionError
from core.model.values import Value

if TYPE_CHECKING:
    from core.model.events import Event


def check_event_fields(event: type[Event]) -> None:
    """Reject sets, and models that are no values, also nested in other types.

    JSON has no sets, and the order of their items differs from process to process, so that two runs
    would store two documents. Other models can be changed, and store NaN as null.

    Raises:
        DefinitionError: If there is one.
    """
    for name, field in event.model_fields.items():
        for part in _parts(field.annotation, frozenset()):
            where = f"{event.__name__}.{name}"
            if isinstance(part, type) and issubclass(part, AbstractSet):
                raise DefinitionError(
                    f"{where} is a set: JSON has none and its order is not fixed → "
                    "tuple[str, ...], filled with tuple(sorted(...))"
                )
            if _is_foreign_model(part):
                raise DefinitionError(
                    f"{where}: {part.__name__} is a model but no value → "
                    f"class {part.__name__}(Value)"
                )


def _parts(annotation: Any, seen: frozenset[type]) -> Iterator[Any]:  # noqa: ANN401 - annotations
    """Yield an annotation and all types inside it, those of the fields of models included."""
    origin = get_origin(annotation)
    yield origin if isinstance(origin, type) else annotation
    for argument in get_args(annotation):
        yield from _parts(argument, seen)
    if (
        isinstance(annotation, type)
        and issubclass(annotation, BaseModel)
        and annotation not in seen
    ):
        for field in annotation.model_fields.values():
            yield from _parts(field.annotation, seen | {annotation})


def _is_foreign_model(part: Any) -> bool:  # noqa: ANN401 - as above
    return isinstance(part, type) and issubclass(part, BaseModel) and not issubclass(part, Value)
