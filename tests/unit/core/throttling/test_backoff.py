from __future__ import annotations

import pytest

from core.throttling.backoff import MAX_BACKOFF_SECONDS, backoff


@pytest.mark.parametrize(
    ("attempt", "hint", "jitter", "expected"),
    [
        pytest.param(1, None, 0.0, 0.05, id="the first wait"),
        pytest.param(2, None, 0.0, 0.1, id="doubled"),
        pytest.param(5, None, 0.0, 0.8, id="and again"),
        pytest.param(50, None, 0.0, MAX_BACKOFF_SECONDS, id="never longer"),
        pytest.param(10_000, None, 0.0, MAX_BACKOFF_SECONDS, id="after very many"),
        pytest.param(50, None, 0.5, MAX_BACKOFF_SECONDS * 0.75, id="spread by jitter"),
        pytest.param(1, 3.5, 0.5, 3.5, id="a hint is obeyed as it is"),
        pytest.param(1, 0.0, 0.5, 0.0, id="a hint of nothing"),
        pytest.param(1, -1.0, 0.5, 0.0, id="a nonsensical hint"),
    ],
)
def test_waits_follow_the_table(
    attempt: int, hint: float | None, jitter: float, expected: float
) -> None:
    """The service's word first, doubling otherwise."""
    assert backoff(attempt, retry_after=hint, jitter=jitter) == pytest.approx(expected)
