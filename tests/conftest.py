"""Fixtures that several folders of tests use."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.cosmos.aio import CosmosClient, DatabaseProxy

from core.cosmos.client import open_client
from core.cosmos.provisioning import provision
from core.settings import Settings
from local.cosmos import WELL_KNOWN_KEY, EmbeddedCosmos, Options
from tests.support import DATE_HANDLING


@pytest.fixture
def cosmos_options() -> dict[str, Any]:
    """How the embedded Cosmos DB is set up; tests override it by parametrization."""
    return {"partitions": 4}


@pytest.fixture
async def cosmos(cosmos_options: dict[str, Any]) -> AsyncIterator[EmbeddedCosmos]:
    """An embedded Cosmos DB of the test's own."""
    async with EmbeddedCosmos(Options(port=0, **cosmos_options)) as server:
        yield server


@pytest.fixture
async def client(cosmos: EmbeddedCosmos) -> AsyncIterator[CosmosClient]:
    """The real SDK, with the account's key."""
    async with CosmosClient(cosmos.endpoint, WELL_KNOWN_KEY) as opened:
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
async def database(environ: dict[str, str]) -> AsyncIterator[DatabaseProxy]:
    """The application's database with its containers."""
    settings = Settings.from_environ(environ)
    async with open_client(settings.require_connection()) as opened:
        await provision(opened, settings)
        yield opened.get_database_client(settings.database)
