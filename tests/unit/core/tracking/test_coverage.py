"""Since when a projection is given everything, by what hosts record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from core import Event, projection
from core.model.projections import Projection
from core.model.registry import ProjectionModule
from core.tracking.coverage import (
    CoverageRecord,
    coverage_of,
    coverage_records,
    is_complete,
    updated_record,
)
from core.tracking.name_changes import name_changes

START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)


class Seen(Event, entity="coverage"):
    @property
    def entity_id(self) -> int:
        return 1


class Heard(Seen, entity="coverage"):
    pass


class Noted(Seen, entity="coverage"):
    pass


@projection(name="notes.first")
def first(event: Seen) -> Iterator[Noted]:
    yield Noted()


@projection(name="notes.second")
def second(event: Heard) -> Iterator[Noted]:
    yield Noted()


@projection(name="notes.first")
def first_of_both(event: Seen | Heard) -> Iterator[Noted]:
    yield Noted()


def module(*projections: Projection, name: str = "notes") -> ProjectionModule:
    return ProjectionModule(name=name, projections=projections)


OLD, NEW = module(first), module(first, second)


def recorded(*steps: tuple[ProjectionModule, float], is_beginning: bool = True) -> CoverageRecord:
    """The record after hosts with these modules took events, at minutes after the start."""
    record: CoverageRecord | None = None
    for own, minutes in steps:
        now = START + minutes * MINUTE
        is_first = is_beginning and record is None
        record = updated_record(record, own, now, is_beginning=is_first)
        assert updated_record(record, own, now + MINUTE) == record, "nothing is written twice"
    assert record is not None
    return record


def minutes_since(record: CoverageRecord, own: ProjectionModule = NEW) -> dict[str, float | None]:
    """Since when each projection is given everything, in minutes after the start."""
    return {
        one.projection: None if one.since is None else (one.since - START) / MINUTE
        for one in coverage_of(record, own, START + 100 * MINUTE)
    }


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([(NEW, 0)], None, id="from the beginning"),
        pytest.param([(OLD, 0), (NEW, 5)], 6, id="added"),
        pytest.param([(OLD, 0), (NEW, 5), (OLD, 8)], 9, id="an old host goes on"),
        pytest.param([(OLD, 0), (NEW, 5), (OLD, 8), (NEW, 8.5)], 9.5, id="and a new one"),
        pytest.param([(NEW, 0), (OLD, 5), (NEW, 30)], 31, id="rolled back and forward"),
    ],
)
def test_a_projection_is_given_everything_since_no_host_lacks_it(
    steps: list[tuple[ProjectionModule, float]], expected: float | None
) -> None:
    """A minute is added, for which a host does not look at the record."""
    assert minutes_since(recorded(*steps)) == {"notes.first": None, "notes.second": expected}


def test_before_the_first_record_nothing_is_known() -> None:
    """If leases were past the beginning by then."""
    record = recorded((NEW, 0), is_beginning=False)

    assert minutes_since(record) == {"notes.first": 1, "notes.second": 1}
    assert not is_complete(record, NEW)


def test_a_module_that_begins_again_is_given_everything() -> None:
    """Its leases were deleted, as a remedy."""
    record = recorded((OLD, 0), (NEW, 5), (OLD, 8), (NEW, 9))

    again = updated_record(record, NEW, START + 20 * MINUTE, is_beginning=True)

    assert minutes_since(again) == {"notes.first": None, "notes.second": None}
    assert is_complete(again, NEW)
    assert again.projections["notes.first"] == record.projections["notes.first"]


def test_a_type_that_is_added_to_a_projection_was_not_given_before() -> None:
    """Though the projection was there."""
    both = module(first_of_both)

    assert minutes_since(recorded((OLD, 0), (both, 5)), both) == {"notes.first": 6}


def test_a_type_that_is_removed_from_a_projection_is_no_gap() -> None:
    """It asks for it no longer."""
    both = module(first_of_both)

    assert minutes_since(recorded((both, 0), (OLD, 5)), OLD) == {"notes.first": None}


def test_a_projection_without_a_record_is_given_nothing_yet() -> None:
    """The next batch is the first that it is given."""
    now = START + 7 * MINUTE
    _, added = coverage_of(recorded((OLD, 0)), NEW, now)

    assert (added.projection, added.since, added.is_pending) == ("notes.second", now, True)


@pytest.mark.parametrize(("minutes", "expected"), [(15, True), (17, False)])
def test_a_time_is_settled_after_ten_minutes(minutes: float, *, expected: bool) -> None:
    """Without a host that lacks the projection."""
    _, added = coverage_of(recorded((OLD, 0), (NEW, 5)), NEW, START + minutes * MINUTE)

    assert added.is_pending is expected


def test_a_gap_is_told_from_what_came_before() -> None:
    """It has another code."""
    later = START + 100 * MINUTE

    _, added = coverage_of(recorded((OLD, 0), (NEW, 5)), NEW, later)
    _, absent = coverage_of(recorded((NEW, 0), (OLD, 5), (NEW, 6)), NEW, later)

    assert (added.has_gap, absent.has_gap) == (False, True)


def test_a_record_is_read_as_it_was_stored() -> None:
    """Times with their microseconds."""
    record = recorded((OLD, 0), (NEW, 5), (OLD, 8))
    document = record.to_document()

    assert document["id"] == "coverage.notes"
    assert coverage_records([document, {"id": "notes-host_a_b..0"}]) == {"notes": record}


NAIVE = {"fromBeginning": True, "recordedAt": "2026-01-01T00:00:00"}


@pytest.mark.parametrize(
    "changes",
    [
        *({"projections": 7}, {"module": None}, {"projections": {"a.b": {"sources": {}}}}),
        {"projections": {"a.b": {"derivedTypes": [], "sources": {"Asked": NAIVE}}}},
    ],
)
def test_a_record_that_cannot_be_read_is_none(changes: dict[str, object]) -> None:
    """It neither ends the status nor a batch: it is written again."""
    assert coverage_records([{**recorded((OLD, 0)).to_document(), **changes}]) == {}


def test_names_are_compared_with_the_records() -> None:
    """A projection under another name derives everything again."""
    record = recorded((NEW, 0))
    moved = replace(first, name="remarks.first")

    changes = name_changes([record], [module(moved, name="remarks")])

    assert changes.renamed == {"notes.first": "remarks.first"}
    assert (changes.added, changes.gone) == (("remarks.first",), ("notes.second",))


def test_what_was_there_before_is_no_new_name() -> None:
    """Two projections of the same types were there at once, and one of them was removed."""
    twin = replace(first, name="notes.twin")
    record = recorded((module(first, twin), 0))

    assert name_changes([record], [OLD]).renamed == {}
    assert name_changes([record], [OLD]).gone == ("notes.twin",)


def test_the_former_name_ends_it() -> None:
    """In whatever module the projection is now."""
    record = recorded((OLD, 0))

    changes = name_changes([record], [module(first, name="remarks")])

    assert (changes.added, changes.gone, changes.renamed) == ((), (), {})
