"""All SDKs get from a query what the plain evaluation over all documents gives."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from azure.cosmos import ContainerProxy, CosmosClient, PartitionKey
from azure.cosmos.aio import CosmosClient as AsyncClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from local.cosmos import WELL_KNOWN_KEY, CosmosOptions, EmbeddedCosmos, run_in_thread
from local.cosmos.partitions import split_evenly
from tests.integration.cosmos.agreement import dotnet, javascript
from tests.integration.cosmos.agreement.questions import (
    COMPOSITES,
    Question,
    check,
    documents,
    questions,
)
from tests.integration.cosmos.raw import Raw

few = settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.generate],  # shrinking takes minutes, and one question is small enough
    suppress_health_check=[HealthCheck.too_slow],
)


@dataclass
class Account:
    """A database on a server of its own, and the clients of the test."""

    server: EmbeddedCosmos
    partitions: int
    client: CosmosClient
    loop: asyncio.AbstractEventLoop
    raw: Raw
    aio: AsyncClient
    stored: list[dict[str, Any]] = field(default_factory=list)

    def store(self, items: list[dict[str, Any]]) -> str:
        """Store documents in a container of their own, and return its name."""
        name = f"c{uuid4().hex}"
        database = self.client.get_database_client("db")
        container = database.create_container(
            name, PartitionKey("/pk"), indexing_policy={"compositeIndexes": COMPOSITES}
        )
        number = Counter[str]()  # ids repeat, as those of several streams do
        self.stored = []
        for item in items:
            key = item["pk"]
            self.stored.append(container.create_item({**item, "id": f"i{number[key]}"}))
            number[key] += 1
        return name

    def check(self, question: Question, results: list[Any], *, in_order: bool = True) -> None:
        """Check results over the documents that were stored last."""
        bounds = [partition.minimum for partition in split_evenly(self.partitions)]
        check(question, self.stored, bounds, results, in_order=in_order)

    def ask(self, container: str, question: Question) -> list[Any]:
        """Return the synchronous SDK's results."""
        proxy: ContainerProxy = self.client.get_database_client("db").get_container_client(
            container
        )
        scope: dict[str, Any] = {"enable_cross_partition_query": True}
        if question.key is not None:
            scope = {"partition_key": question.key}
        return list(
            proxy.query_items(
                question.text,
                question.body["parameters"],
                max_item_count=question.page_size,
                **scope,
            )
        )

    async def ask_async(self, container: str, question: Question) -> list[Any]:
        """Return the asynchronous SDK's results."""
        proxy = self.aio.get_database_client("db").get_container_client(container)
        scope: dict[str, Any] = {} if question.key is None else {"partition_key": question.key}
        pages = proxy.query_items(
            question.text,
            parameters=question.body["parameters"],
            max_item_count=question.page_size,
            **scope,
        )
        return [result async for result in pages]

    async def ask_dotnet(self, container: str, question: Question) -> list[Any]:
        """Return what the .NET SDK's requests and its merging give."""
        return await dotnet.run(
            self.raw, container, question.body, question.page_size, question.key
        )

    async def close(self) -> None:
        """Close the asynchronous clients."""
        await self.aio.close()
        await self.raw.session.close()


@pytest.fixture(scope="module", params=[1, 3], ids=["1 partition", "3 partitions"])
def account(request: pytest.FixtureRequest) -> Iterator[Account]:
    loop = asyncio.new_event_loop()

    async def open_session() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    with (
        run_in_thread(CosmosOptions(port=0, partitions=request.param)) as server,
        CosmosClient(server.endpoint, WELL_KNOWN_KEY) as client,
    ):
        client.create_database("db")
        account = Account(
            server=server,
            partitions=request.param,
            client=client,
            loop=loop,
            raw=Raw(server.endpoint, loop.run_until_complete(open_session())),
            aio=AsyncClient(server.endpoint, WELL_KNOWN_KEY),
        )
        yield account
        loop.run_until_complete(account.close())
    loop.close()


@pytest.fixture(scope="module")
def node(account: Account, pytestconfig: pytest.Config) -> Iterator[javascript.JavaScript]:
    """The JavaScript SDK."""
    folder = javascript.install(pytestconfig)
    with javascript.running(folder, account.server.endpoint) as process:
        yield process


@given(items=documents, asked=st.lists(questions(), min_size=3, max_size=6))
@few
def test_python_gets_the_plain_evaluation(
    account: Account, items: list[dict[str, Any]], asked: list[Question]
) -> None:
    """Synchronously and not; merged aggregates of nothing are None there, whatever servers say."""
    container = account.store(items)

    for question in asked:
        if question.has_aggregates and not question.is_value and question.key is None:
            continue  # refused by this SDK
        for results in (
            account.ask(container, question),
            account.loop.run_until_complete(account.ask_async(container, question)),
        ):
            is_nothing = question.has_aggregates and results == [None]
            account.check(question, [] if is_nothing else results)


@given(items=documents, asked=st.lists(questions(), min_size=3, max_size=6))
@few
def test_dotnet_gets_the_plain_evaluation(
    account: Account, items: list[dict[str, Any]], asked: list[Question]
) -> None:
    """By the requests that were recorded of it, and by its way of merging."""
    container = account.store(items)

    for question in asked:
        answered = account.ask_dotnet(container, question)
        account.check(question, account.loop.run_until_complete(answered))


@given(items=documents, asked=st.lists(questions(), min_size=3, max_size=6))
@few
def test_javascript_gets_the_plain_evaluation(
    account: Account,
    node: javascript.JavaScript,
    items: list[dict[str, Any]],
    asked: list[Question],
) -> None:
    """Also where each page is asked for by the last one's token, with conditions of the SDK."""
    container = account.store(items)

    for question in asked:
        account.check(question, node.run(container, question), in_order=False)
        if question.is_one_order:
            account.check(question, node.run(container, question, resume=True))
