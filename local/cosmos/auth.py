"""The account key's signature on every request (REST reference, Access control)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from urllib.parse import parse_qsl, unquote

from local.cosmos.errors import ServiceError, unauthorized


def check(key: bytes, verb: str, path: str, date: str, authorization: str) -> None:
    """Accept the request only if it is signed with the account's key.

    Args:
        key: The decoded account key.
        verb: HTTP method.
        path: Decoded path of the request.
        date: Header `x-ms-date`.
        authorization: Header `authorization`, URL-encoded as clients send it.

    Raises:
        ServiceError: 401.
    """
    fields = dict(parse_qsl(unquote(authorization).replace("+", "%2B")))
    if fields.get("type") == "aad":
        raise ServiceError(
            401, "Unauthorized", "The embedded Cosmos DB knows its key only, no identities."
        )
    if not hmac.compare_digest(fields.get("sig", ""), signature(key, verb, path, date)):
        raise unauthorized()


def signature(key: bytes, verb: str, path: str, date: str) -> str:
    """The signature that the account's key gives this request, Base64."""
    kind, link = resource(path)
    text = f"{verb.lower()}\n{kind}\n{link}\n{date.lower()}\n\n"
    return base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()


def resource(path: str) -> tuple[str, str]:
    """Resource type and link of a path: a collection's link is that of its parent."""
    segments = [segment for segment in path.split("/") if segment]
    if len(segments) % 2:
        return segments[-1].lower(), "/".join(segments[:-1])
    return (segments[-2].lower() if segments else ""), "/".join(segments)
