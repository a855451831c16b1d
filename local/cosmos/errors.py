"""Refusals of the service, as values: status, sub-status, code and message."""

from __future__ import annotations

from local.cosmos import charges


class ServiceError(Exception):
    """The service refuses a request.

    Attributes:
        status: HTTP status.
        code: The service's word for it, in the body.
        message: For people, in the body.
        sub_status: Cosmos sub-status, 0 for none.
        charge: Request units that the refused request cost.
        retry_after_ms: Milliseconds to wait, where the service tells.
        headers: Further headers of the answer.
        additional: What else the body says, as a JSON text; None for nothing.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        sub_status: int = 0,
        charge: float = charges.REFUSED_WRITE,
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.sub_status = sub_status
        self.charge = charge
        self.retry_after_ms = retry_after_ms
        self.headers: dict[str, str] = {}
        self.additional: str | None = None


class StorageError(ServiceError):
    """503: the state cannot be stored; the whole request fails, nothing of it is stored.

    Args:
        message: What failed, and what to do.
    """

    def __init__(self, message: str) -> None:
        super().__init__(503, "ServiceUnavailable", message, charge=0)


def bad_request(
    message: str, *, sub_status: int = 0, charge: float = charges.REFUSED_WRITE
) -> ServiceError:
    """400: the request is malformed, or asks for what is not covered here."""
    return ServiceError(400, "BadRequest", message, sub_status=sub_status, charge=charge)


def unauthorized() -> ServiceError:
    """401: the signature is not made with the account's key."""
    return ServiceError(
        401,
        "Unauthorized",
        "The request is not signed with the account's key for this verb, resource and date.",
        charge=0,
    )


def forbidden(message: str, *, sub_status: int) -> ServiceError:
    """Return 403: the roles of the principal do not allow the request."""
    return ServiceError(
        403,
        "Forbidden",
        f"Request blocked by Auth local : {message} Learn more: https://aka.ms/cosmos-native-rbac.",
        sub_status=sub_status,
        charge=0,
    )


def not_found(
    what: str, *, sub_status: int = 0, charge: float = charges.REFUSED_READ
) -> ServiceError:
    """404; sub-status 1003 where the database or container of a document is missing."""
    return ServiceError(
        404,
        "NotFound",
        f"Entity with the specified id does not exist in the system: {what}.",
        sub_status=sub_status,
        charge=charge,
    )


def not_supported(what: str) -> ServiceError:
    """405: the service may have it, the embedded one does not."""
    return ServiceError(
        405,
        "MethodNotAllowed",
        f"{what} is not covered by the embedded Cosmos DB (see local/cosmos/README.md).",
    )


def conflict(what: str) -> ServiceError:
    """409: the id or name is taken."""
    return ServiceError(
        409,
        "Conflict",
        f"Entity with the specified id already exists in the system: {what}.",
        charge=charges.CONFLICT,
    )


def precondition_failed() -> ServiceError:
    """412: the ETag is another one by now, or a patch's condition does not hold."""
    return ServiceError(
        412,
        "PreconditionFailed",
        "Operation cannot be performed because one of the specified precondition is not met.",
    )


def too_large() -> ServiceError:
    """413: a request or an item over 2 MB."""
    return ServiceError(
        413,
        "RequestEntityTooLarge",
        "Request size is too large: at most 2 MB (2,097,152 bytes) as sent and as stored.",
        charge=0,
    )


def partition_gone() -> ServiceError:
    """410/1002: the physical partition is not, or no longer, the one for this request."""
    return ServiceError(
        410, "Gone", "The partition key range is gone; read pkranges anew.", sub_status=1002
    )


def session_not_available() -> ServiceError:
    """Return 404/1002: the session token names a write that the partition does not have."""
    return ServiceError(
        404,
        "NotFound",
        "The read session is not available for the input session token.",
        sub_status=1002,
    )


def throttled(retry_after_ms: int) -> ServiceError:
    """429/3200: the physical partition's request units of this second are used up."""
    return ServiceError(
        429,
        "TooManyRequests",
        "The request rate is too large.",
        sub_status=3200,
        charge=0,
        retry_after_ms=retry_after_ms,
    )
