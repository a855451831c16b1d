from __future__ import annotations

import pytest

from core.errors import DefinitionError
from core.model.names import is_document_id, snake_case, stream_id, validate_entity_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Follow", "follow"), ("AddFriend", "add_friend"), ("HTTPCall", "http_call"), ("A", "a")],
)
def test_class_names_become_route_names(name: str, expected: str) -> None:
    """Words of a class name are separated by underscores."""
    assert snake_case(name) == expected


@pytest.mark.parametrize("name", ["", "Followship", "two-words", "1st", "a/b"])
def test_unusable_entity_names_are_rejected(name: str) -> None:
    """A hyphen would let a stream id split in two ways."""
    with pytest.raises(DefinitionError, match="Entity name"):
        validate_entity_name(name)


@pytest.mark.parametrize("entity_id", ["", "a/b", "a b", "a?b", "a#b", "ä", "x" * 201, "a\\b"])
def test_ids_that_could_reach_elsewhere_are_rejected(entity_id: str) -> None:
    """What a URL or Cosmos DB would read otherwise is no id."""
    with pytest.raises(ValueError, match="an id of entity"):
        stream_id("user", entity_id)


def test_a_stream_is_named_after_its_entity() -> None:
    """Entity and id, joined by a hyphen."""
    assert stream_id("user", "a-b@c.d") == "user-a-b@c.d"


@pytest.mark.parametrize("text", ["n000000000001", "é", "a b", "...", "a..", "x" * 1023])
def test_ids_that_documents_can_have(text: str) -> None:
    """They can be read by a URL."""
    assert is_document_id(text)


@pytest.mark.parametrize(
    "text", ["", ".", "..", " a", "a ", "a/b", "a\\b", "a?b", "a#b", "a\nb", "\udcff", "x" * 1024]
)
def test_ids_that_no_document_can_have(text: str) -> None:
    """Cosmos DB would take the request for another one, and refuse it."""
    assert not is_document_id(text)
