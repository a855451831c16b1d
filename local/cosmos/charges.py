"""The model of request charges, in request units.

"Account" stands for charges of an account in Azure on 2026-10-10, recorded in github.com/xo/dbimp
(testdata/cosmos): writes of eleven small documents, which the model matches to 0.01 request units.
"Published" stands for Microsoft's "Azure Cosmos DB as a key value store" and "Optimize request
cost". A guess has no source. No charge here predicts a bill.

| request | RU | from |
|---|---|---|
| point read | 1 up to 1 KB, 10 at 100 KB | published; that it is linear is a \
guess |
| create, delete, up to 1 KB | 5.14 + 0.381 for each index term | account |
| replace, patch, upsert of an item that exists, up to 1 KB | 10.29 + 0.381 for each index term \
that differs | account (a patch: 10.60 and 11.42 where the model says 10.67 and 11.05) |
| each further KB | 0.45 for a create or delete, 0.91 for a replace | published: 5 RU for a write \
of 1 KB and 50 for 100 KB, twice that for a replace; that it is linear is a guess |
| an index term | a scalar, an array or an empty object at an indexed path; `id` always | account, \
one document; published for `id` |
| rejected write: 400, 404, 412 / 409 | 1.24 / 1.48 | account |
| rejected read: 404 | 1 | account |
| transactional batch, bulk request | the sum of its operations; in a failed batch also of those \
before the failed one, though nothing is stored | account |
| rejected with 401 or 429, or before it reaches a partition | 0 | account; a guess for 429 |
| page of a query | 2.83 + 0.02 for each document read + 0.2 for each KB returned | Equinox for \
the first figure, the others are a guess |
| page of the change feed | 1 up to 1 KB or without changes, 0.1 for each further KB | account \
for a page of one small item; the rest is a guess |
| anything else | 1 | a guess |
"""

from __future__ import annotations

_KB = 1024
_READ_PER_KB = 9 / 99
_WRITE = 108 / 21
_INDEX_TERM = 8 / 21
_WRITE_PER_KB = 45 / 99
_DIGITS = 4

_QUERY = 2.83
"""The charge that Equinox measured for queries without results. A query with one document of 1 KB
then costs 3.05, between this and the 3.19 of Microsoft's `optimize-cost-reads-writes`. The charge
of more documents and bytes is a guess."""

REJECTED_READ = 1.0
"""The charge of a read of an item that does not exist."""

REJECTED_WRITE = 1.24
"""The charge of a rejected write, except for a conflict."""

CONFLICT = 1.48
"""The charge of a create whose id is in use."""


def read(size: int) -> float:
    """Return the charge of a point read of an item with the given number of bytes."""
    return round(1.0 + _READ_PER_KB * _kilobytes_over_one(size), _DIGITS)


def write(size: int, terms: int) -> float:
    """Return the charge of a create or delete of an item with the given bytes and index terms."""
    return round(_WRITE + _INDEX_TERM * terms + _WRITE_PER_KB * _kilobytes_over_one(size), _DIGITS)


def replace(size: int, changed_terms: int) -> float:
    """Return the charge of a replace.

    Args:
        size: The number of bytes of the new version.
        changed_terms: The number of index terms that only one of the versions has.
    """
    unindexed = _WRITE + _WRITE_PER_KB * _kilobytes_over_one(size)
    return round(2 * unindexed + _INDEX_TERM * changed_terms, _DIGITS)


def query(read: int, returned: int) -> float:
    """Return the charge of a page of a query from the documents read and the bytes returned.

    A document is read if it is in the query's partition key, range of ids and range of times,
    because the service has indexes of these. COUNT(1) without a condition reads none.
    """
    return round(_QUERY + 0.02 * read + 0.2 * returned / _KB, 2)


def feed(returned: int) -> float:
    """Return the charge of a page of the change feed with the given number of bytes."""
    return round(1.0 + 0.1 * _kilobytes_over_one(returned), 2)


def _kilobytes_over_one(size: int) -> float:
    return max(0.0, size / _KB - 1.0)
