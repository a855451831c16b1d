"""Fixtures that several folders of tests use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.cosmos.aio import CosmosClient, DatabaseProxy

from core.cosmos.client import open_client
from core.cosmos.provisioning import provision
from core.settings import Settings
from local.cosmos import WELL_KNOWN_KEY, CosmosOptions, EmbeddedCosmos
from tests.observing import observer_of
from tests.support import DATE_HANDLING


@pytest.fixture(params=[0.0, 0.3], ids=["fresh", "lagging"])
def replica_lag(request: pytest.FixtureRequest) -> float:
    """Seconds by which reads without a session token lag."""
    lag: float = request.param
    return lag


@pytest.fixture
def cosmos_options() -> dict[str, Any]:
    """How the embedded Cosmos DB is set up; tests override it by parametrization."""
    return {"partitions": 4}


@pytest.fixture
async def cosmos(
    cosmos_options: dict[str, Any], replica_lag: float
) -> AsyncIterator[EmbeddedCosmos]:
    """An embedded Cosmos DB of the test's own."""
    options = CosmosOptions(port=0, replica_lag=replica_lag, **cosmos_options)
    async with EmbeddedCosmos(options) as server:
        yield server


@pytest.fixture
async def client(cosmos: EmbeddedCosmos) -> AsyncIterator[CosmosClient]:
    """The real SDK, with the account's key."""
    async with CosmosClient(cosmos.endpoint, WELL_KNOWN_KEY) as opened:
        yield opened


@pytest.fixture
async def observer(cosmos: EmbeddedCosmos) -> AsyncIterator[CosmosClient]:
    """The real SDK, for assertions: it sees every write."""
    async with observer_of(cosmos) as opened:
        yield opened


@pytest.fixture
def date_handling() -> str:
    """How the host hands dates over; `tests.support.both_date_handlings` overrides it."""
    return "None"


@pytest.fixture
def environ(cosmos: EmbeddedCosmos, date_handling: str) -> dict[str, str]:
    """Application settings for the embedded Cosmos DB."""
    return {
        "CosmosConnection": cosmos.connection_string,
        "FeedPollDelayMilliseconds": "50",
        DATE_HANDLING: date_handling,
    }


@pytest.fixture
async def database(environ: dict[str, str], observer: CosmosClient) -> DatabaseProxy:
    """The application's database with its containers."""
    settings = Settings.from_environ(environ)
    async with open_client(settings.require_connection()) as opened:
        await provision(opened, settings)
    return observer.get_database_client(settings.database)
