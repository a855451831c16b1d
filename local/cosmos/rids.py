"""Resource ids (`_rid`) in the service's form: Base64 of 4, 8 or 16 bytes, `-` for `/`."""

from __future__ import annotations

import base64


def database_rid(number: int) -> str:
    """4 bytes."""
    return _text(_database(number))


def container_rid(database: int, number: int) -> str:
    """8 bytes, of which the first 4 are the database's; the highest bit marks a container."""
    return _text(container_bytes(database, number))


def item_rid(container: bytes, number: int) -> str:
    """16 bytes, of which the first 8 are the container's (`container_bytes`)."""
    return _text(container + number.to_bytes(8, "little"))


def container_bytes(database: int, number: int) -> bytes:
    """What the ids of a container and of everything in it begin with."""
    return _database(database) + (0x80000000 | number).to_bytes(4, "big")


def _database(number: int) -> bytes:
    return (0x1D000000 + number).to_bytes(4, "big")


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode().replace("/", "-")
