"""Errors of the service, with their status, sub-status, code and message."""

from __future__ import annotations

from local.cosmos import charges


class ServiceError(Exception):
    """An error response of the service.

    Attributes:
        status: The HTTP status.
        code: The name of the error in the body.
        message: The message in the body.
        sub_status: The sub-status, 0 for none.
        charge: The request charge in request units.
        retry_after_ms: The retry-after delay in milliseconds, None for none.
        headers: Additional headers of the response.
        additional: Additional information in the body as a JSON text, None for none.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        sub_status: int = 0,
        charge: float = charges.REJECTED_WRITE,
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
    """A 503 for state that cannot be stored; nothing of the request is stored.

    Args:
        message: What failed, and what to do.
    """

    def __init__(self, message: str) -> None:
        super().__init__(503, "ServiceUnavailable", message, charge=0)


def bad_request(
    message: str, *, sub_status: int = 0, charge: float = charges.REJECTED_WRITE
) -> ServiceError:
    """Return 400: the request is malformed, or needs an unsupported feature."""
    return ServiceError(400, "BadRequest", message, sub_status=sub_status, charge=charge)


def unauthorized() -> ServiceError:
    """Return 401: the signature was not made with the account key."""
    return ServiceError(
        401,
        "Unauthorized",
        "The request is not signed with the account key for this method, resource and date.",
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
    resource: str, *, sub_status: int = 0, charge: float = charges.REJECTED_READ
) -> ServiceError:
    """Return 404; the sub-status is 1003 if the container of an item does not exist."""
    return ServiceError(
        404,
        "NotFound",
        f"Entity with the specified id does not exist in the system: {resource}.",
        sub_status=sub_status,
        charge=charge,
    )


def not_supported(feature: str) -> ServiceError:
    """Return 405: the embedded Cosmos DB does not support what the service may support."""
    return ServiceError(
        405,
        "MethodNotAllowed",
        f"{feature} is not supported by the embedded Cosmos DB (see local/cosmos/README.md).",
    )


def conflict(resource: str) -> ServiceError:
    """Return 409: the id is in use."""
    return ServiceError(
        409,
        "Conflict",
        f"Entity with the specified id already exists in the system: {resource}.",
        charge=charges.CONFLICT,
    )


def precondition_failed() -> ServiceError:
    """Return 412: the ETag has changed, or the condition of a patch is false."""
    return ServiceError(
        412,
        "PreconditionFailed",
        "Operation cannot be performed because one of the specified precondition is not met.",
    )


def too_large() -> ServiceError:
    """Return 413: a request or an item is larger than 2 MB."""
    return ServiceError(
        413,
        "RequestEntityTooLarge",
        "Request size is too large: at most 2 MB (2,097,152 bytes) as sent and as stored.",
        charge=0,
    )


def partition_gone() -> ServiceError:
    """Return 410/1002: the physical partition does not exist, or not any more."""
    return ServiceError(
        410, "Gone", "The partition key range is gone; read pkranges again.", sub_status=1002
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
    """Return 429/3200: the request units of the physical partition are used up."""
    return ServiceError(
        429,
        "TooManyRequests",
        "The request rate is too large.",
        sub_status=3200,
        charge=0,
        retry_after_ms=retry_after_ms,
    )
