from __future__ import annotations

import logging
from typing import Any

import pytest

from core.errors import DeadlineExceededError, TransientError
from core.model.documents import MissingDocument
from core.model.registry import ProjectionModule
from core.projecting.derivation import derive
from core.streams.stored_documents import StoredDocuments
from local.host.dates import rewrite_dates
from tests.apps.follows.followship import followers
from tests.support import Document, FakeTime, followed, stream

MODULE = ProjectionModule(name="followship", projections=(followers,))
BY_US = followed(1, 2, _etag="1", _ts=1)
BY_OTHERS = followed(1, 3, time="2026-01-02T03:04:05Z", _etag="2", _ts=1)
WITH_OFFSET = followed(1, 4, time="2026-01-02T03:04:05+02:00", _etag="3", _ts=1)


class Reader:
    """Returns what each read of an event returns, the last of them for ever."""

    def __init__(self, *documents: Document) -> None:
        self.versions: dict[str, list[Document | None]] = {}
        self.reads: list[str] = []
        for document in documents:
            self.versions.setdefault(document["id"], []).append(document)

    async def get(self, stream_id: str, event_id: str, _: object) -> Document | None:
        assert stream_id == stream(1)
        self.reads.append(event_id)
        versions = self.versions.get(event_id, [None])
        return versions.pop(0) if len(versions) > 1 else versions[0]

    async def read(self, stream_id: str, _: object) -> list[Document]:
        self.reads.append(stream_id)
        return [
            document for versions in self.versions.values() for document in versions if document
        ]


class Host:
    """The reading of batches that a host hands over."""

    def __init__(self, *stored: Document) -> None:
        self.reader = Reader(*stored)
        self.clock = FakeTime()
        self.documents = StoredDocuments(
            reader=self.reader,  # type: ignore[arg-type] # what is used of it
            sleep=self.clock.sleep,
        )

    async def restore(self, *batch: Document, seconds: float = 60.0) -> list[Any]:
        return await self.documents.restore(MODULE, batch, self.clock.deadline(seconds))


async def test_nothing_is_read_where_dates_are_handed_over_as_they_are_stored() -> None:
    """One time with its zero shows it, for the process, also for what others wrote."""
    host = Host()

    assert await host.restore(BY_OTHERS, BY_US) == [BY_OTHERS, BY_US]
    assert await host.restore(BY_OTHERS) == [BY_OTHERS]
    assert host.documents.dates_rewritten is False
    assert host.reader.reads == []


async def test_rewritten_documents_are_read(caplog: pytest.LogCaptureFixture) -> None:
    """That the host rewrites them is logged once."""
    stored = [BY_US, BY_OTHERS, WITH_OFFSET]
    host = Host(*stored)

    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert await host.restore(*map(rewrite_dates, stored)) == stored
    assert host.documents.dates_rewritten is True
    (record,) = caplog.records
    assert record.getMessage() == (
        "trigger.dates_rewritten module=followship "
        "setting=extensions.cosmosDB.serializerSettings.dateParseHandling"
    )


async def test_documents_of_others_do_not_show_what_the_host_does() -> None:
    """They are read until something shows it."""
    host = Host(BY_OTHERS, WITH_OFFSET)

    for _ in range(2):
        assert await host.restore(rewrite_dates(BY_OTHERS)) == [BY_OTHERS]
        assert host.documents.dates_rewritten is None
    assert await host.restore(rewrite_dates(WITH_OFFSET)) == [WITH_OFFSET]
    assert host.documents.dates_rewritten is True


async def test_only_what_the_module_projects_is_read() -> None:
    """No event is in a stream whose name is a date, and none has another id than text."""
    host = Host()
    batch = [
        rewrite_dates({**BY_US, **change})
        for change in (
            {"type": "Other"},
            {"type": None},
            {"id": 5},
            {"streamId": None},
            {"streamId": "2026-01-01T00:00:00.10Z"},
            {"streamId": "followship-\ud800"},
        )
    ]

    assert await host.restore(*batch) == batch
    assert host.reader.reads == []


async def test_an_event_is_read_whatever_its_id_is() -> None:
    """The host rewrites an id that is a date, but not the resource id."""
    stored = {**BY_US, "id": "2026-01-01T00:00:00.10Z", "_rid": "abc"}
    host = Host(BY_OTHERS, stored)

    assert await host.restore(rewrite_dates(stored)) == [stored]


@pytest.mark.parametrize(
    "seen", [pytest.param(None, id="missing"), pytest.param({**BY_US, "_etag": "0"}, id="older")]
)
async def test_a_replica_that_lags_is_waited_for(seen: Document | None) -> None:
    """It may not have the event yet, or not the version that was handed over."""
    host = Host()
    host.reader.versions[BY_US["id"]] = [seen, BY_US]

    assert await host.restore(rewrite_dates(BY_US)) == [BY_US]
    assert host.clock.slept


async def test_a_version_that_replaced_it_is_taken() -> None:
    """It follows in the feed as well."""
    replaced = {**BY_US, "_etag": "9", "_ts": 2}
    host = Host(replaced)

    assert await host.restore(rewrite_dates(BY_US)) == [replaced]
    assert not host.clock.slept


async def test_a_version_of_the_same_second_is_taken_in_the_end() -> None:
    """What is older cannot be told from what is newer then, but it does not stay older."""
    replaced = {**BY_US, "_etag": "9"}
    host = Host(replaced)

    assert await host.restore(rewrite_dates(BY_US)) == [replaced]
    assert sum(host.clock.slept) > 5


async def test_an_older_version_is_never_projected() -> None:
    """The batch is delivered again."""
    host = Host({**BY_US, "_etag": "0", "_ts": 0})

    with pytest.raises(TransientError, match="older version"):
        await host.restore(rewrite_dates(BY_US))


async def test_what_is_read_has_the_transaction_of_what_was_handed_over() -> None:
    """No read returns it, and the progress of a fan-out is stored with it."""
    host = Host(BY_US)

    assert await host.restore({**rewrite_dates(BY_US), "_lsn": 7}) == [{**BY_US, "_lsn": 7}]


async def test_an_event_that_is_not_found_is_parked() -> None:
    """After some seconds, with a reason that says what to do."""
    host = Host()

    (missing,) = await host.restore(rewrite_dates(BY_US))

    assert isinstance(missing, MissingDocument)
    (poison_event,) = derive(MODULE, [missing])
    assert "dateParseHandling" in str(getattr(poison_event, "failure", ""))
    assert sum(host.clock.slept) > 5


async def test_reading_ends_with_the_deadline() -> None:
    """The batch is delivered again."""
    with pytest.raises(DeadlineExceededError):
        await Host().restore(rewrite_dates(BY_US), seconds=1.0)
