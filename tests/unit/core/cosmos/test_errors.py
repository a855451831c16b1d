from __future__ import annotations

import asyncio
import inspect

import aiohttp
import azure.core.exceptions
import azure.cosmos.exceptions
import pytest
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.cosmos.exceptions import (
    CosmosBatchOperationError,
    CosmosClientTimeoutError,
    CosmosHttpResponseError,
)

from core.cosmos.errors import kind_of, translate_errors
from core.errors import (
    ConfigurationError,
    ConflictError,
    CosmosError,
    DeadlineExceededError,
    DefinitionError,
    EngineError,
    LeaseFormatError,
    NotFoundError,
    PoisonError,
    ProjectionBlockedError,
    RejectedByCosmosError,
    RequestError,
    ReservedIdError,
    SettingError,
    ThrottledError,
    TransientError,
    UnreadableEventError,
)
from tests.support import batch_refusal, refusal

UNRAISED = {"DeserializationError", "SerializationError", "CookieLoadError", "WSMessageTypeError"}
"""ValueErrors of azure-core's own serializers, which the Cosmos SDK does not use; of aiohttp, what
reading a file of cookies raises, and what web sockets do."""


def every_foreign_exception() -> list[type[Exception]]:
    modules = (azure.core.exceptions, azure.cosmos.exceptions, aiohttp.client_exceptions)
    exceptions = {
        value
        for module in modules
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, Exception) and name not in UNRAISED
    }
    return sorted(exceptions, key=lambda kind: kind.__name__)


def made(kind: type[Exception]) -> Exception:
    """An exception of this kind, whatever its constructor asks for."""
    if issubclass(kind, CosmosBatchOperationError):
        return batch_refusal(500, at=0, of=1)
    if issubclass(kind, CosmosHttpResponseError):
        return kind(status_code=500, message="x")
    return kind.__new__(kind)


@pytest.mark.parametrize("kind", every_foreign_exception(), ids=lambda kind: kind.__name__)
def test_every_exception_of_the_sdk_is_one_of_ours(kind: type[Exception]) -> None:
    """The list is read from the SDK and its transport, so that a new one cannot be missed."""
    error = made(kind)

    with pytest.raises(CosmosError), translate_errors("testing"):
        raise error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refusal(429), ThrottledError),
        (refusal(449), ThrottledError),
        (refusal(503), TransientError),
        (refusal(410, sub_status=1002), TransientError),
        (refusal(401), ConfigurationError),
        (refusal(403), ConfigurationError),
        (refusal(404, sub_status=1003), ConfigurationError),
        (refusal(404), ConfigurationError),
        (refusal(409), ConflictError),
        (refusal(400), RejectedByCosmosError),
        (refusal(413), RejectedByCosmosError),
        (batch_refusal(429, at=1, of=3, retryAfterMilliseconds=70), ThrottledError),
        (batch_refusal(409, at=0, of=2), ConflictError),
        (batch_refusal(503, at=2, of=3), TransientError),
        (ServiceRequestError("no connection"), TransientError),
        (ServiceResponseError("connection lost"), TransientError),
        (ClientAuthenticationError("no token"), ConfigurationError),
        (CosmosClientTimeoutError(), TransientError),  # type: ignore[no-untyped-call] # the SDK's
        (AzureError("anything"), TransientError),
        (asyncio.TimeoutError(), TransientError),
        (ConnectionResetError(), TransientError),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else str(value)[:20],
)
def test_errors_become_the_most_specific_of_ours(
    error: Exception, expected: type[CosmosError]
) -> None:
    """And keep what they came from."""
    with pytest.raises(expected) as caught, translate_errors("writing 3 events"):
        raise error

    assert caught.value.__cause__ is error
    assert "while writing 3 events" in str(caught.value)


def every_engine_error(base: type[EngineError] = EngineError) -> set[type[EngineError]]:
    return {base}.union(*map(every_engine_error, base.__subclasses__()))


def test_every_error_of_the_engine_has_an_answer() -> None:
    """Retried, raised, parked, or an answer to a caller; a new one must be placed."""
    answers: dict[str, tuple[type[EngineError], ...]] = {
        "wait as told, then again": (ThrottledError,),
        "again with backoff": (TransientError,),
        "raise, and let the host come again": (DeadlineExceededError, ProjectionBlockedError),
        "raise, and have it corrected": (
            *(ConfigurationError, RejectedByCosmosError, NotFoundError, ConflictError),
            *(DefinitionError, SettingError, LeaseFormatError, ReservedIdError),
            UnreadableEventError,
        ),
        "park": (PoisonError,),
        "tell the caller": (RequestError,),
    }
    placed = [kind for kinds in answers.values() for kind in kinds]

    for kind in every_engine_error() - {EngineError, CosmosError}:
        assert len([other for other in placed if issubclass(kind, other)]) == 1, kind


def test_our_own_errors_pass_the_seam_as_they_are() -> None:
    """They say already what they mean."""
    for kind in (DeadlineExceededError, PoisonError, LeaseFormatError):
        with pytest.raises(kind), translate_errors("testing"):
            raise kind


def test_a_missing_document_is_told_from_a_missing_container() -> None:
    """Where one is read by id, a plain 404 means the document."""
    with pytest.raises(NotFoundError), translate_errors("reading", not_found=NotFoundError):
        raise refusal(404)
    with pytest.raises(ConfigurationError), translate_errors("reading", not_found=NotFoundError):
        raise refusal(404, sub_status=1003)


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        pytest.param(refusal(429, retry_after_ms=1500), 1.5, id="on the request"),
        pytest.param(refusal(429), None, id="no hint"),
        pytest.param(
            batch_refusal(429, at=1, of=3, retryAfterMilliseconds=70), 0.07, id="in a batch"
        ),
        pytest.param(batch_refusal(429, at=1, of=3), None, id="in a batch, no hint"),
    ],
)
def test_the_services_hint_is_kept(error: Exception, seconds: float | None) -> None:
    """In seconds, wherever it came."""
    with pytest.raises(ThrottledError) as caught, translate_errors("writing"):
        raise error

    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    ("status", "sub_status", "expected"),
    [
        (429, 3200, ThrottledError),
        (449, 0, ThrottledError),
        (0, 0, TransientError),
        (408, 0, TransientError),
        (410, 1002, TransientError),
        (500, 0, TransientError),
        (502, 0, TransientError),
        (503, 0, TransientError),
        (504, 0, TransientError),
        (403, 3, TransientError),
        (404, 1002, TransientError),
        (401, 0, ConfigurationError),
        (403, 5300, ConfigurationError),
        (403, 1014, RejectedByCosmosError),
        (404, 1003, ConfigurationError),
        (404, 0, NotFoundError),
        (409, 0, ConflictError),
        (412, 0, ConflictError),
        (400, 1001, ConfigurationError),
        (400, 0, RejectedByCosmosError),
        (413, 0, RejectedByCosmosError),
        (418, 0, RejectedByCosmosError),
    ],
)
def test_answers_are_classified(status: int, sub_status: int, expected: type[CosmosError]) -> None:
    """Each by what there is to do about it."""
    assert kind_of(status, sub_status) is expected
