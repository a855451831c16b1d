"""Limits of Azure Cosmos DB, from its service quotas."""

from __future__ import annotations

MAX_OPERATIONS = 100
"""The operations of a transactional batch or of a bulk request."""

MAX_REQUEST_BYTES = 2 * 1024 * 1024 - 8 * 1024
"""The bytes of a request's operations: 2 MB without what frames them."""

MAX_ITEM_BYTES = 2 * 1024 * 1024 - 16 * 1024
"""The bytes of a document: 2 MB without the properties that the service adds."""
