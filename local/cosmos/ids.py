"""Which ids items, databases and containers may have, and which of them a URL can name (pure)."""

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
        ServiceError: 400.
    """
    if not isinstance(name, str) or not 1 <= len(name) <= _MAX_NAME_LENGTH:
        raise _unfit(name, _MAX_NAME_LENGTH)
    if _NOT_IN_NAMES.search(name):
        raise bad_request(
            "The input name presented contains invalid character. An id of a database or container "
            "has none of / \\ ? #, no control characters, and no space at its end."
        )
    return name


def validate_item_id(document: dict[str, object]) -> str:
    """Return the id of a document that is to be stored.

    Raises:
        ServiceError: 400.
    """
    item_id = document.get("id")
    if not isinstance(item_id, str) or not item_id:
        raise bad_request(
            "The input content is invalid because the required properties - 'id; ' - are missing, "
            "empty or not text."
        )
    if len(item_id.encode()) > _MAX_ITEM_ID_BYTES:
        raise _unfit(item_id, _MAX_ITEM_ID_BYTES + 1)
    if "/" in item_id or "\\" in item_id:
        raise bad_request(f"An item's id has no / or \\, unlike {item_id[:100]!r}.")
    return item_id


def _unfit(name: object, limit: int) -> ServiceError:
    """Return the service's error for a name that is empty, no text or too long.

    Its number is one more than an item's id may have, and what a container's may have.
    """
    return bad_request(
        f"The input name {str(name)[:100]!r} is invalid. Ensure to provide a unique non-empty "
        f"string less than '{limit}' characters."
    )


def check_addressable(item_id: str) -> None:
    r"""Refuse an id in a URL that the service's gateway does not serve, though it stores the item.

    Its SDKs' own tests record the answers: 400 for a control character; 401 for #, for a space at
    the end, and for what looks like a percent-encoded character. Queries, batches and links by
    resource id reach such items.

    Raises:
        ServiceError: 400 or 401.
    """
    if _CONTROL.search(item_id):
        raise bad_request(f"The id {item_id!r} has a control character: no URL can name the item.")
    if _UNAUTHORIZED_BY_THE_GATEWAY.search(item_id):
        raise ServiceError(
            401,
            "Unauthorized",
            f"The id {item_id!r} has a #, a space at its end or a percent-encoded character: the "
            "gateway of Azure Cosmos DB answers 401 to URLs that name such an item.",
            charge=0,
        )
