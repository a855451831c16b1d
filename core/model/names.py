"""How names in code become names in documents and routes."""

from __future__ import annotations

import re

from core.errors import DefinitionError

_WORD_START = re.compile(r"(?<!^)(?<![A-Z_])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_ENTITY = re.compile(r"[a-z][a-z0-9_]*\Z")
_ENTITY_ID = re.compile(r"[A-Za-z0-9._~:@+=-]{1,200}\Z")


def snake_case(name: str) -> str:
    """`AddFriend` -> `add_friend`."""
    return _WORD_START.sub("_", name).lower()


def validate_entity_name(name: str) -> str:
    """The name, if it may name an entity.

    An entity's name holds no `-`, so that a stream id splits in one way only.

    Raises:
        DefinitionError: The name cannot be used.
    """
    if not _ENTITY.match(name):
        raise DefinitionError(
            f"Entity name {name!r}: use small letters, digits and underscores, a letter first."
        )
    return name


def stream_id(entity: str, entity_id: object) -> str:
    """The stream of one entity: `followship-4f1e...`.

    The characters are those that a Cosmos id and one segment of a URL both take unescaped.

    Raises:
        ValueError: The entity's id is empty, longer than 200 characters or has others.
    """
    text = str(entity_id)
    if not _ENTITY_ID.match(text):
        raise ValueError(
            f"an id of entity {entity!r} has 1 to 200 letters, digits or ._~:@+=-, got {text!r:.80}"
        )
    return f"{entity}-{text}"
