"""Partition keys, their hashes, and the key ranges of physical partitions (pure)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import mmh3

from local.cosmos.errors import bad_request
from local.cosmos.jsontext import decode, encode

_KEY_SPACE = 0x40 << 120
"""The limit of the hashes of partition keys, whose two highest bits are cleared."""

_MAX_KEY_BYTES = 2048

PARTITION_KEY_MISMATCH = 1001
"""The sub-status of a 400 for a partition key that does not match the container or document."""

_UNDEFINED: dict[str, Any] = {}


@dataclass(frozen=True, kw_only=True)
class KeyRange:
    """The key range of a physical partition: `minimum` <= effective partition key < `maximum`.

    Attributes:
        id: The id of the partition.
        minimum: The lowest effective partition key.
        maximum: The effective partition key after the highest one.
        parents: The ids of the partitions from which it was split, the oldest first.
    """

    id: str
    minimum: str
    maximum: str
    parents: tuple[str, ...] = ()

    def contains(self, epk: str) -> bool:
        """Return whether an effective partition key is in the range."""
        return self.minimum <= epk < self.maximum


def split_evenly(count: int) -> list[KeyRange]:
    """Return the key ranges of a new container, which have equal widths."""
    width = (_KEY_SPACE - 1) // count
    borders = ["", *(f"{width * nth:032X}" for nth in range(1, count)), "FF"]
    return [
        KeyRange(id=str(nth), minimum=borders[nth], maximum=borders[nth + 1])
        for nth in range(count)
    ]


def split_in_half(parent: KeyRange, first_id: int) -> tuple[KeyRange, KeyRange]:
    """Return the key ranges of the children of a partition that is split in the middle."""
    low = int(parent.minimum or "0", 16)
    high = _KEY_SPACE - 1 if parent.maximum == "FF" else int(parent.maximum, 16)
    middle, parents = f"{(low + high) // 2:032X}", (*parent.parents, parent.id)
    return (
        KeyRange(id=str(first_id), minimum=parent.minimum, maximum=middle, parents=parents),
        KeyRange(id=str(first_id + 1), minimum=middle, maximum=parent.maximum, parents=parents),
    )


@dataclass(frozen=True)
class PartitionKey:
    """A partition key.

    Attributes:
        text: The canonical JSON text of the value, `{}` for a document without a key.
        epk: The effective partition key: the hash in hexadecimal.
    """

    text: str
    epk: str


def partition_key(value: Any) -> PartitionKey:  # noqa: ANN401 - any JSON
    """Return the partition key for a value.

    Raises:
        ServiceError: 400, if the value cannot be a partition key.
    """
    if isinstance(value, str):
        return _partition_key_from_text(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = _number(value)
    elif isinstance(value, list) or (isinstance(value, dict) and value):
        raise bad_request("A partition key must be text, a number, true, false or null.")
    return PartitionKey(encode(value), effective_partition_key(value))


@lru_cache(maxsize=10_000)
def _partition_key_from_text(value: str) -> PartitionKey:
    if len(value.encode()) > _MAX_KEY_BYTES:
        raise bad_request(f"A partition key has at most {_MAX_KEY_BYTES} bytes.")
    return PartitionKey(encode(value), effective_partition_key(value))


def partition_key_from_document(path: tuple[str, ...], document: dict[str, Any]) -> PartitionKey:
    """Return the partition key of a document, at the path that the container defines.

    An object or an array at that path counts as undefined.

    Raises:
        ServiceError: 400, if the text or number at that path is too large.
    """
    value: Any = document
    for step in path:
        if not isinstance(value, dict) or step not in value:
            return partition_key(_UNDEFINED)
        value = value[step]
    return partition_key(_UNDEFINED if isinstance(value, (dict, list)) else value)


def partition_key_from_header(text: object) -> PartitionKey:
    """Return the partition key in a header or bulk operation, such as `["key"]`.

    Raises:
        ServiceError: 400, if it is missing or malformed.
    """
    return _partition_key_from_json(text if isinstance(text, str) else "[]")


@lru_cache(maxsize=10_000)
def _partition_key_from_json(text: str) -> PartitionKey:
    try:
        values = decode(text)
    except ValueError:
        values = None
    if not isinstance(values, list):
        raise bad_request(f"Partition key {text} is invalid.", charge=0)
    if len(values) != 1:
        raise bad_request(
            "The partition key supplied in x-ms-partitionkey header has "
            f"{'more' if values else 'fewer'} components than defined in the the collection.",
            sub_status=PARTITION_KEY_MISMATCH,
            charge=0,
        )
    return partition_key(values[0])


def effective_partition_key(value: Any) -> str:  # noqa: ANN401 - any JSON scalar may be a partition key
    """Return the hash (version 2) of a value, as the service and its SDKs compute it.

    It is MurmurHash3 (128 bits, x64) of the value's type and content, without the two highest bits.
    """
    hashed = mmh3.hash128(_hashed(value), 0, x64arch=True) & (_KEY_SPACE - 1)
    return f"{hashed:032X}"


def _hashed(value: Any) -> bytes:  # noqa: ANN401 - as above
    if value == _UNDEFINED and isinstance(value, dict):
        return b"\x00"
    if value is None:
        return b"\x01"
    if isinstance(value, bool):
        return b"\x03" if value else b"\x02"
    if isinstance(value, (int, float)):
        return b"\x05" + struct.pack("<d", value)
    return b"\x08" + str(value).encode() + b"\xff"


def _number(value: float) -> float:
    try:
        return float(value) + 0.0  # adding zero makes one of -0.0 and 0.0
    except OverflowError:
        raise bad_request("A partition key's number must fit into 64 bits.") from None
