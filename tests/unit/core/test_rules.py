from __future__ import annotations

from contextlib import ExitStack, suppress
from http import HTTPStatus

import pytest

from core.backoff import LONGEST_WAIT, backoff
from core.budget import Budget
from core.errors import (
    BudgetSpentError,
    ConfigurationError,
    DefinitionError,
    EngineError,
    FieldProblem,
    InvalidRequestError,
    KeyReusedError,
    Refused,
    RequestTooLargeError,
    SettingError,
    ThrottledError,
    TransientError,
    UnknownNameError,
)
from core.failures import Failure, classify
from core.gates import MOST_IN_FLIGHT, Gates
from core.problems import problem
from tests.support import FakeTime


@pytest.mark.parametrize(
    ("attempt", "hint", "jitter", "expected"),
    [
        pytest.param(1, None, 0.0, 0.05, id="the first wait"),
        pytest.param(2, None, 0.0, 0.1, id="doubled"),
        pytest.param(5, None, 0.0, 0.8, id="and again"),
        pytest.param(50, None, 0.0, LONGEST_WAIT, id="never longer"),
        pytest.param(10_000, None, 0.0, LONGEST_WAIT, id="after very many"),
        pytest.param(50, None, 0.5, LONGEST_WAIT * 0.75, id="spread by jitter"),
        pytest.param(1, 3.5, 0.5, 3.5, id="a hint is obeyed as it is"),
        pytest.param(1, 0.0, 0.5, 0.0, id="a hint of nothing"),
        pytest.param(1, -1.0, 0.5, 0.0, id="a nonsensical hint"),
    ],
)
def test_waits_follow_the_table(
    attempt: int, hint: float | None, jitter: float, expected: float
) -> None:
    """The service's word first, doubling otherwise."""
    assert backoff(attempt, hint=hint, jitter=jitter) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("status", "sub_status", "expected"),
    [
        (429, 3200, Failure.THROTTLED),
        (449, 0, Failure.THROTTLED),
        (0, 0, Failure.TRANSIENT),
        (408, 0, Failure.TRANSIENT),
        (410, 1002, Failure.TRANSIENT),
        (500, 0, Failure.TRANSIENT),
        (502, 0, Failure.TRANSIENT),
        (503, 0, Failure.TRANSIENT),
        (504, 0, Failure.TRANSIENT),
        (403, 3, Failure.TRANSIENT),
        (404, 1002, Failure.TRANSIENT),
        (401, 0, Failure.CONFIGURATION),
        (403, 5300, Failure.CONFIGURATION),
        (404, 1003, Failure.CONFIGURATION),
        (404, 0, Failure.NOT_FOUND),
        (409, 0, Failure.CONFLICT),
        (412, 0, Failure.CONFLICT),
        (400, 1001, Failure.REFUSED),
        (413, 0, Failure.REFUSED),
        (418, 0, Failure.REFUSED),
    ],
)
def test_answers_are_classified(status: int, sub_status: int, expected: Failure) -> None:
    """Each by what there is to do about it."""
    assert classify(status, sub_status) is expected


def test_a_closed_gate_opens_after_its_time() -> None:
    """And only that of its partition was closed."""
    clock = FakeTime()
    gates = Gates(clock)

    gates.of("a").close(2.0)
    gates.of("a").close(1.0)

    assert (gates.of("a").wait(), gates.of("b").wait()) == (2.0, 0.0)
    clock.now += 2.5
    assert gates.of("a").wait() == 0.0


def test_a_throttled_gate_lets_fewer_through() -> None:
    """Half as many after each 429, a little more after each success, at least one."""
    clock = FakeTime()
    gate = Gates(clock).of("a")

    def room() -> int:
        with ExitStack() as stack:
            while gate.has_room:
                stack.enter_context(gate.request())
            count = gate._in_flight
            stack.pop_all()
        gate._in_flight = 0
        return count

    def throttle() -> None:
        with suppress(ThrottledError), gate.request():
            raise ThrottledError("", status=429, sub_status=3200, retry_after=1.0)

    assert room() == MOST_IN_FLIGHT
    throttle()
    assert room() == MOST_IN_FLIGHT // 2
    for _ in range(20):
        throttle()
    assert room() == 1
    for _ in range(10):
        with gate.request():
            pass
    assert 2 <= room() < 8


def test_requests_sent_before_a_gate_closed_tell_nothing_new() -> None:
    """They do not shrink it once more."""
    gate = Gates(FakeTime()).of("a")
    gate.close(1.0)

    with suppress(ThrottledError), gate.request():
        raise ThrottledError("", status=429, sub_status=3200, retry_after=1.0)

    assert gate._limit == MOST_IN_FLIGHT


def test_a_budget_is_never_overdrawn() -> None:
    """What is left is 0 when it is over."""
    clock = FakeTime()
    budget = Budget.of(5.0, clock)

    clock.now += 3.0
    assert budget.remaining() == 2.0
    clock.now += 3.0
    assert budget.remaining() == 0.0


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UnknownNameError("x"), 404),
        (InvalidRequestError("x"), 400),
        (Refused("x", field="f"), 400),
        (RequestTooLargeError("x"), 413),
        (KeyReusedError("x"), 422),
        (BudgetSpentError("x"), 503),
        (TransientError("x"), 503),
        (ConfigurationError("x"), 500),
        (SettingError("S", "x"), 500),
        (DefinitionError("x"), 500),
    ],
)
def test_errors_have_a_status(error: EngineError, status: int) -> None:
    """Callers' mistakes are 4xx, ours 5xx."""
    body = problem(error).body()

    assert (body["status"], body["title"]) == (status, HTTPStatus(status).phrase)


def test_a_problem_names_the_fields() -> None:
    """As an extension member `errors`."""
    error = InvalidRequestError("no", FieldProblem(field="a.0", problem="bad"))

    assert problem(error).body()["errors"] == [{"field": "a.0", "problem": "bad"}]


@pytest.mark.parametrize("error", [ConfigurationError("key K"), SettingError("S", "secret K")])
def test_what_is_wrong_on_our_side_is_not_told(error: EngineError) -> None:
    """It is for the log."""
    assert "K" not in problem(error).detail.replace("Key", "")
