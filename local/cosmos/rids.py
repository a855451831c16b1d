"""Resource ids (`_rid`) in the service's form: Base64 of 4, 8 or 16 bytes, `-` for `/`."""

from __future__ import annotations

import base64
import binascii

_ID_BYTES = {"dbs": 4, "colls": 8, "docs": 16}
_DATABASE_CHARACTERS = 8


def database_rid(number: int) -> str:
    """Return the resource id of a database: 4 bytes."""
    return _text(_database(number))


def container_rid(database: int, number: int) -> str:
    """Return the resource id of a container: that of its database and 4 more bytes."""
    return _text(container_bytes(database, number))


def item_rid(container: bytes, number: int) -> str:
    """Return the resource id of an item: the `container_bytes` and 8 more bytes."""
    return _text(container + number.to_bytes(8, "little"))


def offer_rid(number: int, *, of_container: bool) -> str:
    """Return the resource id of the offer of a database or container: 3 bytes."""
    return _text((number | of_container << 23).to_bytes(3, "big"))


def container_bytes(database: int, number: int) -> bytes:
    """Return the bytes with which the resource ids of a container and its items start.

    The highest bit of the second half marks a container.
    """
    return _database(database) + (0x80000000 | number).to_bytes(4, "big")


def item_number(rid: str) -> int:
    """Return the number of the item with the given resource id."""
    return int.from_bytes(_content(rid)[8:], "little", signed=True)


def is_rid_link(segments: tuple[str, ...]) -> bool:
    """Return whether a path consists of resource ids, each of which starts with that of its parent.

    A path consists either of names or of resource ids. Offers have no names.
    """
    if len(segments) < 2:  # noqa: PLR2004 - a kind and an id
        return False
    if segments[0] == "offers":
        return True
    if len(segments[1]) != _DATABASE_CHARACTERS:
        return False  # early, because this is called for every request
    parent = b""
    for kind, rid in zip(segments[::2], segments[1::2], strict=False):
        content = _content(rid)
        size = _ID_BYTES.get(kind, len(content))
        if not content or len(content) != size or not content.startswith(parent):
            return False
        parent = content
    return True


def _content(rid: str) -> bytes:
    """Return the bytes of a resource id, empty if the text is not one."""
    try:
        return base64.b64decode(rid.replace("-", "/"), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _database(number: int) -> bytes:
    return (0x1D000000 + number).to_bytes(4, "big")


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode().replace("/", "-")
