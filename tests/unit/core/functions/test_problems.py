from __future__ import annotations

from http import HTTPStatus

import pytest

from core.errors import (
    ConfigurationError,
    DeadlineExceededError,
    DefinitionError,
    EngineError,
    FieldError,
    IdempotencyKeyReusedError,
    InvalidRequestError,
    RequestTooLargeError,
    SettingError,
    TransientError,
    UnknownResourceError,
)
from core.functions.problems import to_problem


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UnknownResourceError("x"), 404),
        (InvalidRequestError("x"), 400),
        (RequestTooLargeError("x"), 413),
        (IdempotencyKeyReusedError("x"), 422),
        (DeadlineExceededError("x"), 503),
        (TransientError("x"), 503),
        (ConfigurationError("x"), 500),
        (SettingError("S", "x"), 500),
        (DefinitionError("x"), 500),
    ],
)
def test_errors_have_a_status(error: EngineError, status: int) -> None:
    """Callers' mistakes are 4xx, ours 5xx."""
    body = to_problem(error).to_dict()

    assert (body["status"], body["title"]) == (status, HTTPStatus(status).phrase)


def test_a_problem_names_the_fields() -> None:
    """As an extension member `errors`."""
    error = InvalidRequestError("no", FieldError(field="a.0", detail="bad"))

    assert to_problem(error).to_dict()["errors"] == [{"field": "a.0", "detail": "bad"}]


@pytest.mark.parametrize("error", [ConfigurationError("key K"), SettingError("S", "secret K")])
def test_what_is_wrong_on_our_side_is_not_told(error: EngineError) -> None:
    """It is for the log."""
    assert "K" not in to_problem(error).detail.replace("Key", "")
