from __future__ import annotations

import pytest

from core.cosmos.errors import kind_of
from core.errors import (
    ConfigurationError,
    ConflictError,
    CosmosError,
    NotFoundError,
    RejectedByCosmosError,
    ThrottledError,
    TransientError,
)


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
