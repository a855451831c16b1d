"""Checks of the ids of items, databases and containers (pure)."""

from __future__ import annotations

import re

from local.cosmos.errors import ServiceError, bad_request

_MAX_ITEM_ID_BYTES = 1023
_MAX_NAME_LENGTH = 255
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NOT_IN_NAMES = re.compile(r"[/\\?#\x00-\x1f\x7f]| \Z")
_UNAUTHORIZED_BY_THE_GATEWAY = re.compile(r"#|%[0-9A-Fa-f]{2}| \Z")


def validate_resource_id(name: object) -> str:
    """Return the id of a database or container.

    Raises:
        ServiceError: 400, if it is invalid.
    """
    if not isinstance(name, str) or not 1 <= len(name) <= _MAX_NAME_LENGTH:
        raise _invalid_name(name, _MAX_NAME_LENGTH)
    if _NOT_IN_NAMES.search(name):
        raise bad_request(
            "The input name presented contains invalid character. An id of a database or container "
            "has none of / \\ ? #, no control characters, and no space at its end."
        )
    return name


def validate_item_id(document: dict[str, object]) -> str:
    """Return the id of a document that is to be stored.

    Raises:
        ServiceError: 400, if it is missing or invalid.
    """
    item_id = document.get("id")
    if not isinstance(item_id, str) or not item_id:
        raise bad_request(
            "The input content is invalid because the required properties - 'id; ' - are missing, "
            "empty or not text."
        )
    if len(item_id.encode()) > _MAX_ITEM_ID_BYTES:
        raise _invalid_name(item_id, _MAX_ITEM_ID_BYTES + 1)
    if "/" in item_id or "\\" in item_id:
        raise bad_request(f"An item's id must not contain / or \\, got {item_id[:100]!r}.")
    return item_id


def _invalid_name(name: object, limit: int) -> ServiceError:
    """Return the service's error for a name that is empty, not text or too long.

    The limit is the maximum for a container, and the maximum plus one for an item.
    """
    return bad_request(
        f"The input name {str(name)[:100]!r} is invalid. Ensure to provide a unique non-empty "
        f"string less than '{limit}' characters."
    )


def check_addressable(item_id: str) -> None:
    r"""Check that the gateway of the service accepts an id in a URL.

    The service stores items with other ids, too: queries, batches and links by resource id reach
    them. The tests of its SDKs record the errors: 400 for a control character; 401 for #, for a
    space at the end, and for what looks like a percent-encoded character.

    Raises:
        ServiceError: 400 or 401, if it does not.
    """
    if _CONTROL.search(item_id):
        raise bad_request(
            f"The id {item_id!r} contains a control character and cannot be used in a URL."
        )
    if _UNAUTHORIZED_BY_THE_GATEWAY.search(item_id):
        raise ServiceError(
            401,
            "Unauthorized",
            f"The id {item_id!r} contains a #, a space at the end or a percent-encoded character: "
            "the gateway of Azure Cosmos DB returns 401 for URLs with such an id.",
            charge=0,
        )
