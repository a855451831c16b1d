"""Ids of any text: what stores them, and what a URL can name."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import aiohttp
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from local.cosmos import CosmosOptions, EmbeddedCosmos, run_in_thread
from tests.integration.cosmos.raw import BATCH, ITEMS, A, Raw

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
ODD = st.text("ab./\\?#%20 \n\r\t\0\x7f\u2028ü", min_size=1, max_size=8)


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedCosmos]:
    """A server with a container, for all examples."""

    async def prepare(endpoint: str) -> None:
        async with aiohttp.ClientSession() as session:
            await Raw(endpoint, session).prepare()

    with run_in_thread(CosmosOptions(port=0)) as started:
        asyncio.run(prepare(started.endpoint))
        yield started


def operation(kind: str, item_id: str) -> dict[str, object]:
    document = {"id": item_id, "pk": "a"}
    return {"operationType": kind, "id": item_id, "resourceBody": document}


async def statuses(endpoint: str, item_id: str) -> tuple[int, set[int], list[int]]:
    """Create, address by URL, and address in batches; every answer must be JSON."""
    async with aiohttp.ClientSession() as session:
        raw = Raw(endpoint, session)
        document = {"id": item_id, "pk": "a"}
        created = await raw.send("POST", ITEMS, document, A)
        url = f"{ITEMS}/{item_id}"
        by_url = {
            (await raw.send("GET", url, headers=A)).status,
            (await raw.send("PUT", url, document, A)).status,
        }
        operations = [operation(kind, item_id) for kind in ("Read", "Replace", "Upsert", "Delete")]
        batch = await raw.send("POST", ITEMS, operations, BATCH)
        return created.status, by_url, [result["statusCode"] for result in batch.body]


@settings(max_examples=100, deadline=None)
@given(TEXT | ODD)
@example("a\nb")
@example("a\rX-Injected: 1\n\n")
@example("\0")
def test_any_id_works_or_is_rejected(server: EmbeddedCosmos, item_id: str) -> None:
    """What cannot be named by a URL is served by batches, as in the service."""
    created, by_url, batch = asyncio.run(statuses(server.endpoint, item_id))

    if created == 201:
        assert batch == [200, 200, 200, 204]
        assert by_url == {200} or by_url <= {400, 401, 404}
    else:
        assert "/" in item_id or "\\" in item_id
        assert (created, batch[0]) == (400, 404)


@pytest.mark.parametrize(
    ("item_id", "expected"),
    [
        ("This is a test", 200),
        (" Test", 200),
        ("WithUnicode鱀", 200),
        ("WithAllowedSpecial,=.:~+-@()^${}[]!_Chars", 200),
        ("Disallowed?Chars", 200),
        ("50%", 200),
        ("With\rCarriageReturn", 400),
        ("With\tTab", 400),
        ("With\nLineFeed", 400),
        ("Disallowed#Chars", 401),
        ("Test ", 401),
        ("IdEndingWithPercentEncodedWhitespace%20", 401),
        ("WithPercentEncodedSpecialChar%E9%B1%80", 401),
    ],
)
def test_a_url_names_what_the_services_gateway_serves(
    server: EmbeddedCosmos, item_id: str, expected: int
) -> None:
    """As the .NET and Java SDKs' tests of ids record it: all of them are stored."""
    created, by_url, _ = asyncio.run(statuses(server.endpoint, item_id))

    assert (created, by_url) == (201, {expected})


@pytest.mark.parametrize("length", [1023, 1024])
def test_an_id_has_up_to_1023_bytes(server: EmbeddedCosmos, length: int) -> None:
    """Not characters."""
    created, _, _ = asyncio.run(statuses(server.endpoint, "é" * (length // 2) + "x" * (length % 2)))

    assert created == (201 if length == 1023 else 400)


@pytest.mark.parametrize("name", ["a\nb", "a\tb", "a?b", "a#b", "a/b", "a\\b", "a ", "", "x" * 256])
def test_a_database_has_a_plain_name(server: EmbeddedCosmos, name: str) -> None:
    """400 for what no URL could name."""

    async def create() -> int:
        async with aiohttp.ClientSession() as session:
            return (await Raw(server.endpoint, session).send("POST", "/dbs", {"id": name})).status

    assert asyncio.run(create()) == 400
