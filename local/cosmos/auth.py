"""The account key's signature on every request (REST reference, Access control)."""

from __future__ import annotations

import base64
import hmac
from urllib.parse import unquote

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
    fields = dict(part.partition("=")[::2] for part in unquote(authorization).split("&"))
    if fields.get("type") == "aad":
        raise ServiceError(
            401,
            "Unauthorized",
            "The embedded Cosmos DB takes its account key only, no Microsoft Entra tokens: "
            "use a connection string.",
            charge=0,
        )
    expected = signature(key, verb, path, date)
    if not hmac.compare_digest(fields.get("sig", "").encode(), expected.encode()):
        raise unauthorized()


def signature(key: bytes, verb: str, path: str, date: str) -> str:
    """The signature that the account's key gives this request, Base64."""
    kind, link = resource(path)
    text = f"{verb.lower()}\n{kind}\n{link}\n{date.lower()}\n\n"
    return base64.b64encode(hmac.digest(key, text.encode(), "sha256")).decode()


def resource(path: str) -> tuple[str, str]:
    """Resource type and link of a path: the link of a list is that of its parent."""
    segments = [segment for segment in path.split("/") if segment]
    if len(segments) % 2:
        return segments[-1].lower(), "/".join(segments[:-1])
    return (segments[-2].lower() if segments else ""), "/".join(segments)
