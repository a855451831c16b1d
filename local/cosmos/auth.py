"""The signature on every request, as in "Access control" of the REST reference."""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING
from urllib.parse import unquote

from local.cosmos.errors import ServiceError, unauthorized
from local.cosmos.rids import is_rid_link

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def signing_key(
    keys: Iterable[bytes], method: str, path: str, date: str, authorization: str
) -> bytes:
    """Return the key with which a request is signed.

    Args:
        keys: The accepted keys, decoded.
        method: The HTTP method.
        path: The decoded path of the request.
        date: The header `x-ms-date`.
        authorization: The header `authorization`, URL-encoded as clients send it.

    Raises:
        ServiceError: 401, if it is not signed with one of them.
    """
    fields = dict(part.partition("=")[::2] for part in unquote(authorization).split("&"))
    if fields.get("type") == "aad":
        raise ServiceError(
            401,
            "Unauthorized",
            "The embedded Cosmos DB accepts its account key, but no Microsoft Entra tokens: use a "
            "connection string.",
            charge=0,
        )
    sent = fields.get("sig", "").encode()
    for key in keys:
        if any(hmac.compare_digest(sent, _sign(key, method, *form, date)) for form in _forms(path)):
            return key
    raise unauthorized()


def signature(key: bytes, method: str, path: str, date: str, *, by_rid: bool = False) -> str:
    """Return the signature of a request in Base64.

    Args:
        key: The decoded account key.
        method: The HTTP method.
        path: The decoded path of the request.
        date: The header `x-ms-date`.
        by_rid: Whether the path consists of resource ids, so that only the last one is signed.
    """
    return _sign(
        key, method, *(_resource_by_rid(path) if by_rid else signed_resource(path)), date
    ).decode()


def _sign(key: bytes, method: str, kind: str, link: str, date: str) -> bytes:
    text = f"{method.lower()}\n{kind}\n{link}\n{date.lower()}\n\n"
    return base64.b64encode(hmac.digest(key, text.encode(), "sha256"))


def _forms(path: str) -> Iterator[tuple[str, str]]:
    """Yield the forms in which a path can be signed: as names and, if it fits, as resource ids.

    The path of an operation on a container (`.../operations/partitionkeydelete`) is signed as the
    path of the container.
    """
    yield signed_resource(path)
    container, operations, _ = path.strip("/").rpartition("/operations/")
    if operations:
        yield signed_resource(container)
    if is_rid_link(tuple(segment for segment in path.split("/") if segment)):
        yield _resource_by_rid(path)


def _resource_by_rid(path: str) -> tuple[str, str]:
    """Return the resource type and link of a path of resource ids: the last one in lower case."""
    kind, link = signed_resource(path)
    return kind, link.rpartition("/")[2].lower()


def signed_resource(path: str) -> tuple[str, str]:
    """Return the resource type and link of a path; the link of a list is that of its parent."""
    segments = [segment for segment in path.split("/") if segment]
    if len(segments) % 2:
        return segments[-1].lower(), "/".join(segments[:-1])
    return (segments[-2].lower() if segments else ""), "/".join(segments)
