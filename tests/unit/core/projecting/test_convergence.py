"""Whatever fails, whatever is delivered again: the same documents come out."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import EngineError
from core.model.registry import ProjectionModule
from core.projecting.processor import BatchProcessor
from tests.apps.follows.followship import followers
from tests.support import Document, FakeTime, MemoryContainer, followed, processor, refusal

MODULE = ProjectionModule(name="followship", projections=(followers,))

USERS = st.integers(min_value=1, max_value=5)
EVENTS = st.lists(st.tuples(USERS, USERS), min_size=1, max_size=30)
FAULTS = st.lists(
    st.sampled_from(["", "", "", "refused", "lost", "reset", "429", "410", "cut off"]), max_size=60
)
CUTS = st.lists(st.integers(min_value=1, max_value=8), min_size=1, max_size=30)
REDELIVERIES = st.lists(st.tuples(st.integers(0, 29), st.booleans()), max_size=10)


class CutOffError(Exception):
    """The process died."""


class Faults:
    """Lets the calls of a container fail, one after the other, as planned; then no more."""

    def __init__(self, planned: list[str]) -> None:
        self._planned = list(planned)
        self._lost = False

    async def before(self, _: str) -> None:
        """Fail before anything was applied."""
        await asyncio.sleep(0)
        fault = self._planned.pop(0) if self._planned else ""
        self._lost = fault == "lost"
        if fault == "refused":
            raise ServiceRequestError("refused")
        if fault == "reset":
            raise refusal(503)
        if fault == "429":
            raise refusal(429, retry_after_ms=100)
        if fault == "410":
            raise refusal(410, sub_status=1002)
        if fault == "cut off":
            raise CutOffError

    async def after(self, _: str) -> None:
        """Fail after everything was applied: the reply is lost."""
        if self._lost:
            raise ServiceResponseError("reset")


def batches(documents: list[Document], cuts: list[int]) -> list[list[Document]]:
    batches: list[list[Document]] = []
    at = 0
    while at < len(documents):
        size = cuts[len(batches) % len(cuts)]
        batches.append(documents[at : at + size])
        at += size
    return batches


async def project_all(
    container: MemoryContainer,
    delivered: list[list[Document]],
    redelivered: list[tuple[int, bool]],
) -> None:
    """Deliver as the host does: the same batch until it succeeds, stale ones beside it."""
    clock = FakeTime()
    engine = processor(container, MemoryContainer(), clock)
    stale: list[asyncio.Task[bool]] = []
    for nth, batch in enumerate(delivered):
        for at, beside in redelivered:
            if at == nth and beside:
                other = processor(container, MemoryContainer(), clock)
                stale.append(asyncio.create_task(_try(other, batch, clock)))
        while not await _try(engine, batch, clock):
            pass
        if (nth, False) in redelivered:
            await _try(engine, batch, clock)
    await asyncio.gather(*stale)


async def _try(engine: BatchProcessor, batch: list[Document], clock: FakeTime) -> bool:
    with suppress(EngineError, CutOffError):
        await engine.process(MODULE, batch, clock.deadline(0.3))
        return True
    return False


@settings(max_examples=150, deadline=None)
@given(pairs=EVENTS, cuts=CUTS, faults=FAULTS, redelivered=REDELIVERIES)
def test_any_interleaving_of_failures_converges(
    pairs: list[tuple[int, int]],
    cuts: list[int],
    faults: list[str],
    redelivered: list[tuple[int, bool]],
) -> None:
    """The documents are those of one clean pass, and no others."""
    documents = [followed(a, b, f"e{nth}") for nth, (a, b) in enumerate(pairs)]
    clean = MemoryContainer()
    asyncio.run(project_all(clean, [documents], []))
    planned = Faults(faults)
    troubled = MemoryContainer(partitions=2, before=planned.before, after=planned.after)

    asyncio.run(project_all(troubled, batches(documents, cuts), redelivered))

    assert troubled.documents == clean.documents
    assert len(clean.documents) == len(documents)
