"""Fixtures for tests that talk to the embedded Cosmos DB request by request."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from local.cosmos import EmbeddedCosmos
from tests.integration.cosmos.raw import Raw


@pytest.fixture
def replica_lag() -> float:
    """No lag; `test_replicas` has one."""
    return 0.0


@pytest.fixture
async def raw(cosmos: EmbeddedCosmos) -> AsyncIterator[Raw]:
    """An account with an empty container."""
    async with aiohttp.ClientSession() as session:
        prepared = Raw(cosmos.endpoint, session)
        await prepared.prepare()
        yield prepared
