"""Idempotency keys, and the documents that record what a command with one has done; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import to_jsonable_python

from core.errors import (
    Conflict,
    EngineError,
    IdempotencyKeyReusedError,
    NotFound,
    Refused,
    ReservedIdError,
)
from core.ids import own_event_id
from core.model.documents import KEY_TYPE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from core.model.documents import Document

_TTL_SECONDS = 30 * 24 * 60 * 60


class IdempotencyKey(NamedTuple):
    """A key that makes repeating a command on its stream safe.

    Attributes:
        id: The id of the document that records the command.
        request: A hash of the request, which is the same in every repetition.
    """

    id: str
    request: str


@dataclass(frozen=True)
class Appended:
    """What a command appended: its last position, None if it appended nothing, and the count."""

    position: int | None = None
    count: int = 0

    @property
    def event_ids(self) -> list[str]:
        """The ids of the events."""
        end = (self.position or 0) + 1
        return [own_event_id(position) for position in range(end - self.count, end)]


def key_document(
    key: IdempotencyKey, stream_id: str, token: str, time: str, answer: Appended | Refused
) -> Document:
    """Return the document that records what a command has done."""
    if isinstance(answer, Refused):
        data = _refusal_data(answer)
    else:
        data = {"status": "ok", "position": answer.position, "count": answer.count}
    return {
        "id": key.id,
        "streamId": stream_id,
        "type": KEY_TYPE,
        "version": 1,
        "time": time,
        "data": {"request": key.request, **data},
        "meta": {"token": token},
        "ttl": _TTL_SECONDS,
    }


def recorded_answer(key: IdempotencyKey, document: Mapping[str, Any]) -> Appended | EngineError:
    """Return what the command with a key has done, or the error that the request gets."""
    try:
        return _answer(key, document["data"], is_key=document["type"] == KEY_TYPE)
    except (KeyError, TypeError, ValueError) as error:
        return ReservedIdError(
            f"Document {key.id} in stream {document.get('streamId')} is not the record of an "
            f"idempotency key ({error!r}). Ids of k and 32 hexadecimal digits are the engine's: "
            "store it under another id."
        )


def _answer(
    key: IdempotencyKey, data: Mapping[str, Any], *, is_key: bool
) -> Appended | EngineError:
    if not is_key:
        raise ValueError("another type")
    if data["request"] != key.request:
        return IdempotencyKeyReusedError(
            "This Idempotency-Key was used before, with a different request."
        )
    if data["status"] == "refused":
        return _refusal(data)
    return Appended(int(data["position"]), int(data["count"]))


_CATEGORIES: dict[str, type[Refused]] = {
    "conflict": Conflict,
    "not_found": NotFound,
    "refused": Refused,
}
"""The kinds of refusals that the engine tells apart, the most special ones first."""


def _refusal_data(refusal: Refused) -> dict[str, Any]:
    category = next(name for name, kind in _CATEGORIES.items() if isinstance(refusal, kind))
    return {
        "status": "refused",
        "category": category,
        "kind": refusal.kind,
        "title": refusal.title,
        "message": str(refusal),
        "field": refusal.errors[0].field if refusal.errors else "",
        "facts": to_jsonable_python(refusal.facts),
    }


def _refusal(data: Mapping[str, Any]) -> Refused:
    """Return a refusal as it was recorded, also if its class does not exist any more."""
    refusal = _CATEGORIES[data["category"]](data["message"], field=data["field"], **data["facts"])
    refusal.kind, refusal.title = data["kind"], data["title"]
    return refusal
