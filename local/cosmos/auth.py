"""The account key's signature on every request (REST reference, Access control)."""

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
    keys: Iterable[bytes], verb: str, path: str, date: str, authorization: str
) -> bytes:
    """Return the key that a request is signed with.

    Args:
        keys: The decoded keys that are accepted.
        verb: The HTTP method.
        path: The decoded path of the request.
        date: The header `x-ms-date`.
        authorization: The header `authorization`, URL-encoded as clients send it.

    Raises:
        ServiceError: 401, if it is none of them.
    """
    fields = dict(part.partition("=")[::2] for part in unquote(authorization).split("&"))
    if fields.get("type") == "aad":
        raise ServiceError(
            401,
            "Unauthorized",
            "The embedded Cosmos DB takes its account key only, no Microsoft Entra tokens: "
            "use a connection string.",
            charge=0,
        )
    sent = fields.get("sig", "").encode()
    for key in keys:
        if any(hmac.compare_digest(sent, _sign(key, verb, *form, date)) for form in _forms(path)):
            return key
    raise unauthorized()


def signature(key: bytes, verb: str, path: str, date: str, *, by_rid: bool = False) -> str:
    """Return the signature that the account's key gives a request, Base64.

    Args:
        key: The decoded account key.
        verb: The HTTP method.
        path: The decoded path of the request.
        date: The header `x-ms-date`.
        by_rid: Whether the path consists of resource ids, of which only the last one is signed.
    """
    return _sign(key, verb, *(_resource_by_rid(path) if by_rid else resource(path)), date).decode()


def _sign(key: bytes, verb: str, kind: str, link: str, date: str) -> bytes:
    text = f"{verb.lower()}\n{kind}\n{link}\n{date.lower()}\n\n"
    return base64.b64encode(hmac.digest(key, text.encode(), "sha256"))


def _forms(path: str) -> Iterator[tuple[str, str]]:
    """Yield the forms in which a path may be signed: as names, and as resource ids if it can be.

    Paths of operations on a container (`.../operations/partitionkeydelete`) are signed as its own.
    """
    yield resource(path)
    owner, operations, _ = path.strip("/").rpartition("/operations/")
    if operations:
        yield resource(owner)
    if is_rid_link(tuple(segment for segment in path.split("/") if segment)):
        yield _resource_by_rid(path)


def _resource_by_rid(path: str) -> tuple[str, str]:
    """Return resource type and link of a path of resource ids: the last one, in lower case."""
    kind, link = resource(path)
    return kind, link.rpartition("/")[2].lower()


def resource(path: str) -> tuple[str, str]:
    """Resource type and link of a path: the link of a list is that of its parent."""
    segments = [segment for segment in path.split("/") if segment]
    if len(segments) % 2:
        return segments[-1].lower(), "/".join(segments[:-1])
    return (segments[-2].lower() if segments else ""), "/".join(segments)
