"""What requests cost, in request units: the written-down model of the embedded service.

"Account" is what an account in Azure answered on 2026-10-10, recorded in github.com/xo/dbimp
(testdata/cosmos): writes of eleven small documents, which the model meets to the hundredth of a
request unit. "Published" is Microsoft's documentation: "Azure Cosmos DB as a key value store" and
"Optimize request cost". What is marked as a guess has neither; no bill follows from any of it.

| request | RU | from |
|---|---|---|
| point read | 1 up to 1 KB, 10 at 100 KB | published; a straight line between and \
beyond is a guess |
| create, delete, up to 1 KB | 5.14 + 0.381 for each index term | account |
| replace, patch, upsert of an item that exists, up to 1 KB | 10.29 + 0.381 for each index term \
that differs | account (a patch: 10.60 and 11.42 where the model says 10.67 and 11.05) |
| each further KB | 0.45 for a create or delete, 0.91 for a replace | published: 5 RU for a write \
of 1 KB and 50 for 100 KB, twice that for replacing; a straight line is a guess |
| an index term | a scalar, an array or an empty object at an indexed path; `id` always | account, \
one document; published for `id` |
| refused write: 400, 404, 412 / 409 | 1.24 / 1.48 | account |
| refused read: 404 | 1 | account |
| transactional batch, bulk | the sum of its operations; of a failed batch, those before the \
failed one as well, though nothing is stored | account |
| refused with 401 or 429, or before it reaches a partition | 0 | account; a guess for 429 |
| query, a page | 2.83 + 0.02 for each document read + 0.2 for each KB returned | Equinox for \
the first figure, the others are a guess |
| change feed page | 1 up to 1 KB or with nothing new, 0.1 for each further KB | account for a \
page of one small item; the rest is a guess |
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
"""What Equinox measured for queries that find nothing; with one document of 1 KB a query then costs
3.05, between its 2.83 and the 3.19 of Microsoft's `optimize-cost-reads-writes`. What further
documents and bytes add is a guess."""

REFUSED_READ = 1.0
"""Request units of a read of an item that does not exist."""

REFUSED_WRITE = 1.24
"""Request units of a write that is refused, but for a conflict."""

CONFLICT = 1.48
"""Request units of a create whose id is taken."""


def read(size: int) -> float:
    """Return the charge of a point read of an item of the given bytes."""
    return round(1.0 + _READ_PER_KB * _kilobytes_over_one(size), _DIGITS)


def write(size: int, terms: int) -> float:
    """Return the charge of a create or delete of an item of the given bytes and index terms."""
    return round(_WRITE + _INDEX_TERM * terms + _WRITE_PER_KB * _kilobytes_over_one(size), _DIGITS)


def replace(size: int, changed_terms: int) -> float:
    """Return the charge of a replace by a version of the given bytes.

    Args:
        size: Bytes of the new version.
        changed_terms: Index terms that one of the versions has and the other has not.
    """
    unindexed = _WRITE + _WRITE_PER_KB * _kilobytes_over_one(size)
    return round(2 * unindexed + _INDEX_TERM * changed_terms, _DIGITS)


def query(read: int, returned: int) -> float:
    """Return the charge for a page of a query: documents read, bytes returned.

    A document is read if a range of ids, a range of times or a partition key leads to it, as the
    service has indexes of these; COUNT(1) of everything reads none.
    """
    return round(_QUERY + 0.02 * read + 0.2 * returned / _KB, 2)


def feed(returned: int) -> float:
    """Return the charge of a page of the change feed of the given bytes."""
    return round(1.0 + 0.1 * _kilobytes_over_one(returned), 2)


def _kilobytes_over_one(size: int) -> float:
    return max(0.0, size / _KB - 1.0)
