"""Headers and statistics about the size of a container, for clients that ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local.cosmos.containers import Container
    from local.cosmos.messages import Request

_KB = 1024
_QUOTA = "documentSize=10240;documentsSize=20971520;documentsCount=-1;collectionSize=20971520;"
"""The limits of a physical partition in the service, in KB; they are not enforced here."""


def quota_headers(request: Request, container: Container) -> dict[str, str]:
    """Return the headers with quota, usage and index progress, if the request asks for them."""
    if not request.has_flag("x-ms-documentdb-populatequotainfo"):
        return {}
    sizes = container.table.sizes().values()
    documents, size = sum(count for count, _ in sizes), sum(size for _, size in sizes) // _KB
    return {
        "x-ms-resource-quota": _QUOTA,
        "x-ms-resource-usage": (
            f"documentSize=0;documentsSize={size};documentsCount={documents};collectionSize={size};"
        ),
        "x-ms-documentdb-collection-index-transformation-progress": "100",
    }


def partition_statistics(request: Request, container: Container) -> dict[str, list[dict[str, Any]]]:
    """Return the sizes of all physical partitions as a member, if the request asks for them."""
    if not request.has_flag("x-ms-documentdb-populatepartitionstatistics"):
        return {}
    sizes = container.table.sizes()
    rows = [
        (partition.key_range.id, *sizes.get(partition.key_range.id, (0, 0)))
        for partition in container.partitions
    ]
    return {
        "statistics": [
            {"id": name, "sizeInKB": size // _KB, "documentCount": count, "partitionKeys": []}
            for name, count, size in rows
        ]
    }
