"""What requests cost, in request units: the written-down model of the embedded service.

The service publishes no formula. This one gives the figures that are published: a point read of
1 KB costs 1 RU, a small write with few indexed paths 5 to 7, replacing more than creating, and a
refused create little. Work that must be paced sees realistic proportions; no bill follows from it.

| request | RU |
|---|---|
| point read | 1 for each KB begun |
| create | 4 + 1 for each KB begun + 0.2 for each indexed value |
| replace, patch, an upsert that replaces | 1.8 times a create |
| delete | as a create |
| refused (404, 409, 412, ...) | 1 |
| refused as throttled, or for its signature | 0 |
| transactional batch, bulk | the sum of its operations |
| query, a page | 2.83 + 0.02 for each document read + 0.2 for each KB returned |
| change feed page | 1 + 0.1 for each KB returned; 1 when there is nothing new |
| anything else | 1 |
"""

from __future__ import annotations

_KB = 1024
_REPLACED = 1.8
_QUERY = 2.83
"""What Equinox measured for queries that find nothing; with one document of 1 KB a query then costs
3.05, between its 2.83 and the 3.19 of Microsoft's `optimize-cost-reads-writes`. What further
documents and bytes add is a guess."""


def read(size: int) -> float:
    """A point read of an item of so many bytes."""
    return float(_kilobytes(size))


def write(size: int, indexed: int, *, replaces: bool = False) -> float:
    """A create, or a replace, of an item of so many bytes and indexed values."""
    created = 4.0 + _kilobytes(size) + 0.2 * indexed
    return round(created * _REPLACED if replaces else created, 2)


def query(read: int, returned: int) -> float:
    """Return the charge for a page of a query: documents read, bytes returned.

    Documents count as read when a range of ids, a range of times or a partition key leads to them,
    for the service has indexes of these as well.
    """
    return round(_QUERY + 0.02 * read + 0.2 * returned / _KB, 2)


def feed(returned: int) -> float:
    """A page of the change feed of so many bytes."""
    return round(1.0 + 0.1 * returned / _KB, 2)


def _kilobytes(size: int) -> int:
    return max(1, -(-size // _KB))
