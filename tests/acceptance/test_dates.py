"""Dates in events on their way through the trigger."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Iterator
from typing import Any

import azure.functions as func
import pytest
from azure.cosmos.aio import DatabaseProxy

from core import Command, Entity, Event, projection, reduces
from core.application import Application
from core.functions.triggers import register_triggers
from core.model.registry import ProjectionModule, Registry
from core.throttling.deadline import Deadline
from local.host import FunctionsHost, HostOptions
from tests.support import both_date_handlings, until

COUNT = 12
"""As many events a microsecond apart have a time that ends in a zero among them."""

WHEN = "2024-05-01T12:00:00.500000+02:00"


class Added(Event, entity="cart"):
    number: int
    when: str

    @property
    def entity_id(self) -> str:
        return "1"


class Shown(Event, entity="mirror"):
    number: int
    when: str

    @property
    def entity_id(self) -> str:
        return "1"


class Fill(Command):
    def handle(self) -> Iterator[Added]:
        for number in range(COUNT):
            yield Added(number=number, when=WHEN)


class Mirror(Entity):
    numbers: tuple[int, ...] = ()
    times: tuple[str, ...] = ()

    @reduces
    def shown(self, event: Shown) -> Mirror:
        return self.evolve(numbers=(*self.numbers, event.number), times=(*self.times, event.when))


@projection(name="cart.mirror")
def mirror(event: Added) -> Iterator[Shown]:
    yield Shown(number=event.number, when=event.when)


@pytest.fixture
async def application(
    environ: dict[str, str], database: DatabaseProxy
) -> AsyncIterator[Application]:
    del database
    registry = Registry(
        modules={"cart": ProjectionModule(name="cart", projections=(mirror,))},
        events={"Added": Added, "Shown": Shown},
        commands={"fill": Fill},
        entities={"mirror": Mirror},
    )
    application = Application(registry, environ)
    yield application
    await application.close()


async def projected(
    application: Application, environ: dict[str, str], append: Awaitable[object], count: int
) -> list[dict[str, Any]]:
    """Append events, and return what is derived from them behind the trigger."""
    app = func.FunctionApp()
    register_triggers(app, application, environ)
    documents: list[dict[str, Any]] = []

    async def complete() -> bool:
        documents[:] = await application.services.reader.read("mirror-1", Deadline.after(10))
        return len(documents) == count

    async with FunctionsHost(HostOptions(port=0), environ, app):
        await append
        await until(complete)
    return documents


async def mirrored(application: Application, environ: dict[str, str]) -> Mirror:
    """The entity behind the trigger, once all of a command's events are projected."""
    await projected(application, environ, application.execute("fill", b"{}"), COUNT)
    entity = (await application.load_entity("mirror", "1")).entity
    assert isinstance(entity, Mirror)
    return entity


@both_date_handlings
async def test_events_of_an_entity_keep_their_order(
    application: Application, environ: dict[str, str]
) -> None:
    """Those of one command are microseconds apart."""
    assert (await mirrored(application, environ)).numbers == tuple(range(COUNT))


@both_date_handlings
async def test_dates_in_the_data_are_derived_as_they_are_stored(
    application: Application, environ: dict[str, str]
) -> None:
    """With their zeros and their offset."""
    assert set((await mirrored(application, environ)).times) == {WHEN}


@both_date_handlings
async def test_events_of_other_writers_are_derived_as_they_are_stored(
    application: Application, environ: dict[str, str], database: DatabaseProxy
) -> None:
    """Also where their ids are dates, and their times do not show what the host does."""

    async def append() -> None:
        for number, event_id in enumerate(("2026-01-01T00:00:00.10Z", "with space", "plain")):
            event = {
                "id": event_id,
                "streamId": "cart-1",
                "type": "Added",
                "version": 1,
                "time": "2026-01-01T10:00:00+02:00",
                "data": {"number": number, "when": WHEN},
            }
            await database.get_container_client("events").create_item(event)

    documents = await projected(application, environ, append(), 3)

    assert {document["data"]["when"] for document in documents} == {WHEN}
    assert {document["time"] for document in documents} == {"2026-01-01T08:00:00.000000Z"}
    assert {document["meta"]["causationId"] for document in documents} == {
        "2026-01-01T00:00:00.10Z",
        "with space",
        "plain",
    }
