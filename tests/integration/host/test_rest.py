"""The REST client of the host, whose reads must include its own writes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from azure.cosmos.aio import DatabaseProxy

from local.cosmos import WELL_KNOWN_KEY, EmbeddedCosmos
from local.host.rest import CosmosRestClient
from local.host.settings import Account

LEASES = "dbs/db/colls/leases"


@pytest.fixture
async def rest(cosmos: EmbeddedCosmos, database: DatabaseProxy) -> AsyncIterator[CosmosRestClient]:
    client = CosmosRestClient(Account(endpoint=cosmos.endpoint.rstrip("/"), key=WELL_KNOWN_KEY))
    yield client
    await client.close()


async def test_a_read_includes_the_writes_of_the_client(rest: CosmosRestClient) -> None:
    """Also from a replica that lags, because the client sends its session token."""
    for number in range(10):
        name = str(number)
        await rest.create(LEASES, {"id": name})

        assert (await rest.read_document(LEASES, name)).text("id") == name


@pytest.mark.parametrize("replica_lag", [0.0])  # without a token, the read would lag as well
async def test_a_token_that_no_replica_has_reached_is_dropped(rest: CosmosRestClient) -> None:
    """It may be that of a container that was deleted and created again."""
    await rest.create(LEASES, {"id": "a"})
    for partition in "0123":
        rest._session_tokens.record(LEASES, f"{partition}:-1#1000000")

    response = await rest.read_document(LEASES, "a")

    assert response.text("id") == "a"
