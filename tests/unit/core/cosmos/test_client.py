from __future__ import annotations

from core.cosmos.client import Client
from core.settings import Settings


async def test_the_sdks_own_throttle_retries_are_off() -> None:
    """One layer owns retrying; 0 would be taken for "not given"."""
    settings = Settings.from_environ(
        {"CosmosConnection": "AccountEndpoint=http://localhost;AccountKey=eA=="}
    )

    client = Client(settings.require_connection())

    options = client.client_connection.connection_policy.RetryOptions
    assert options._max_retry_attempt_count == -1
    await client.close()


async def test_an_identity_is_used_and_closed_with_the_client() -> None:
    """Where there is no key."""
    settings = Settings.from_environ(
        {"CosmosConnection__accountEndpoint": "https://a.documents.azure.com"}
    )

    client = Client(settings.require_connection())

    assert client.client_connection.aad_credentials is client._identity
    await client.close()
