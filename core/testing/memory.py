"""Streams in memory: what commands append to them, and what follows by projections."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from core.model.documents import Envelope, parse_event, stream_of, to_document
from core.model.handlers import handler_of
from core.projecting.batch_run import BatchRun, ProjectionLimits
from core.projecting.derivation import derive
from core.projecting.turn import ENDLESS_TURN
from core.settings import Settings
from core.streams.appends import Append, Head, create_documents, head_at
from core.streams.commands import Execution, build_append, build_decision, decide
from core.streams.folding import fold_stream, in_one_page
from core.streams.pacer import Pacer
from core.testing.watching import forbid_impure_calls
from core.throttling.deadline import Deadline
from core.writing.writes import Written

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from core.model.commands import Command
    from core.model.documents import Document
    from core.model.entities import Entity
    from core.model.events import Event
    from core.model.registry import ProjectionModule, Registry

ResultT = TypeVar("ResultT")

_ENDLESS = Deadline(at=math.inf, clock=lambda: 0.0)
_NAME = "test"


class Streams:
    """The streams of an application in memory, which never change.

    Args:
        registry: The declarations of the application.
        documents: The documents of each stream, in the order of their positions.
    """

    def __init__(
        self, registry: Registry, documents: Mapping[str, tuple[Document, ...]] | None = None
    ) -> None:
        self._registry = registry
        self._documents = documents or {}

    def with_event(self, event: Event, time: datetime) -> Streams:
        """Return the streams with one more event."""
        document = to_document(event, _NAME)
        append = Append(
            stream_id=stream_of(event), events=[document], token=_NAME, deadline=_ENDLESS
        )
        return self.with_documents(append.stream_id, self.number(append, time))

    def with_documents(self, stream: str, documents: Sequence[Document]) -> Streams:
        """Return the streams with more documents in one of them."""
        present = self._documents.get(stream, ())
        return Streams(self._registry, {**self._documents, stream: (*present, *documents)})

    def number(self, append: Append, time: datetime) -> list[Document]:
        """Return the documents that an append stores, as the engine does."""
        present = self._documents.get(append.stream_id, ())
        head = head_at(present[-1]) if present else Head(0, "")
        return create_documents([append], head, time).documents

    def fold(self, stream: str) -> Entity | None:
        """Return the entity of a stream as the engine folds it, None if there is none."""
        entity = self._registry.entity(stream.partition("-")[0])
        pages = in_one_page(self._documents.get(stream, ()))
        state = _run(fold_stream(entity, pages, self._registry.events, Pacer()))
        return state.entity if state else None

    def parse(self, documents: Iterable[Document]) -> tuple[Event, ...]:
        """Return the events of documents, as the engine reads them."""
        envelopes = map(Envelope.from_document, documents)
        return tuple(parse_event(one, self._registry.events[one.type]) for one in envelopes)

    def execute(self, command: Command, time: datetime) -> Append | None:
        """Return what a command appends, None for nothing.

        Raises:
            RequestError: If the command is rejected.
        """
        execution = Execution(
            command=command,
            key=None,
            correlation_id=_NAME,
            token=_NAME,
            deadline=_ENDLESS,
            traceparent=None,
        )
        entity = handler_of(type(command)).entity
        if entity is None:
            return build_append(execution, time)
        append = build_decision(execution, entity)
        state = self.fold(append.stream_id)
        decision = decide(execution, append.stream_id, state, time)
        if isinstance(decision, Exception):
            raise decision
        return replace(append, events=decision)

    def follow(self, documents: Iterable[Document]) -> list[Document]:
        """Return documents, and all that the projections derive from them and from what follows.

        Raises:
            AssertionError: If a projection fails or is not pure, or the hop limit is reached.
        """
        everything = list(documents)
        for document in everything:  # which grows meanwhile
            for module in self._registry.modules.values():
                with forbid_impure_calls(f"The projections of module {module.name}"):
                    everything += _derive(module, document)
        return everything


def _derive(module: ProjectionModule, document: Document) -> Iterator[Document]:
    hops = Settings.from_environ({}).max_hops
    limits = ProjectionLimits(hops=hops, cpu_seconds=math.inf)
    run = BatchRun(module, derive(module, [document]), limits=limits)
    while True:
        while run.fill_pending(ENDLESS_TURN):
            pass
        if run.poison_events:
            failure = run.poison_events[0].failure
            raise AssertionError(f"{failure.reason}\n{failure.traceback}".rstrip())
        if not run.has_pending_work:
            return
        if run.new_fan_out is not None:
            run.start_new_fan_out()
        writes = list(run.pending.values())
        run.apply(Written(writes))
        for write in writes:
            yield json.loads(write.body)


def _run(coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Return the result of a coroutine that waits for nothing, whether or not a loop is running."""
    while True:
        try:
            coroutine.send(None)
        except StopIteration as done:
            result: ResultT = done.value
            return result
