"""The names of declarations in documents and routes."""

from __future__ import annotations

import re

from core.errors import DefinitionError

_WORD_START = re.compile(r"(?<!^)(?<![A-Z_])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ENTITY = re.compile(r"[a-z][a-z0-9_]*\Z")
_DOCUMENT_ID = re.compile(r"(?!\s|\.{1,2}\Z)[^/\\?#]{1,1023}(?<!\s)\Z")
_ENTITY_ID = re.compile(r"[A-Za-z0-9._~:@+=-]{1,200}\Z")


def snake_case(name: str) -> str:
    """Return a name in snake case: `AddFriend` -> `add_friend`."""
    return _WORD_START.sub("_", name).lower()


def validate_entity_name(name: str) -> str:
    """Return the name of an entity.

    It has no `-`, so that a stream id can be split in one way only.

    Raises:
        DefinitionError: If the name is not valid.
    """
    if not _ENTITY.match(name):
        raise DefinitionError(
            f"Entity name {name!r}: use small letters, digits and underscores, a letter first."
        )
    return name


def stream_id(entity: str, entity_id: object) -> str:
    """Return the stream of one entity: `followship-4f1e...`.

    The characters are those that an id in Cosmos DB and a segment of a URL take without escapes.

    Raises:
        ValueError: If the entity's id is empty, has over 200 characters or has other ones.
    """
    text = str(entity_id)
    if not _ENTITY_ID.match(text):
        raise ValueError(
            f"an id of entity {entity!r} has 1 to 200 letters, digits or ._~:@+=-, got {text!r:.80}"
        )
    return f"{entity}-{text}"


def is_document_id(text: str) -> bool:
    """Return whether a document can have an id, and be read by it from a URL of Cosmos DB."""
    return text.isprintable() and _DOCUMENT_ID.match(text) is not None
