"""Checks of what commands decide on the events before them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from core.errors import InvalidRequestError, Refused, RequestError
from core.model.registry import Registry
from core.model.times import format_time, parse_time
from core.testing.apps import registry_of
from core.testing.memory import Streams
from core.testing.rendering import compare_events, list_events
from core.testing.sentences import Sentence

if TYPE_CHECKING:
    from types import ModuleType

    from core.errors import FieldError
    from core.model.commands import Command
    from core.model.documents import Document
    from core.model.entities import Entity
    from core.model.events import Event
    from core.streams.appends import Append

_DEFAULT_TIME = datetime(2026, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True)
class _History:
    """What came before a command.

    Attributes:
        app: The package of the application, None for that of the command.
        events: The events that were given.
        time: The time of the next command.
        commands: The commands before it.
        streams: The streams after these, None before the first one.
    """

    app: ModuleType | None
    events: tuple[Event, ...]
    time: datetime = _DEFAULT_TIME
    commands: tuple[Command, ...] = ()
    streams: Streams | None = None

    def streams_before(self, command: Command) -> Streams:
        """Return the streams that a command meets: the given events precede its time."""
        if self.streams is not None:
            return self.streams
        registry = Registry.discover(self.app) if self.app else registry_of(type(command))
        streams = Streams(registry)
        for distance, event in zip(range(len(self.events), 0, -1), self.events, strict=True):
            streams = streams.with_event(event, self.time - timedelta(seconds=distance))
        return streams

    def __str__(self) -> str:
        """Return the events and the commands, as a failed check prints them."""
        given = f"Given\n{list_events(self.events)}" if self.events else "Given nothing"
        return "\n".join([given, *(f"when  {command!r}" for command in self.commands)])


class Given:
    """Events that happened before a command."""

    def __init__(self, history: _History) -> None:
        self._history = history
        self._sentence = Sentence("given(...) has no when(...)")

    def at(self, time: datetime) -> Given:
        """Set the time of the next commands, in UTC and cut to 10 microseconds as events have it.

        Raises:
            ValueError: If it has no time zone.
        """
        self._sentence.end()
        if time.utcoffset() is None:
            raise ValueError(f"at({time!r}): the time has no time zone → tzinfo=timezone.utc")
        return Given(replace(self._history, time=parse_time(format_time(time))))

    def when(self, command: Command) -> Decided:
        """Run a command on the entity of its stream, as the engine does."""
        self._sentence.end()
        return Decided(self._history, command)


class Decided:
    """What a command does: it appends events, or it is refused."""

    def __init__(self, before: _History, command: Command) -> None:
        streams = before.streams_before(command)
        self._refusal: RequestError | None = None
        self._documents: list[Document] = []
        self._stream = ""
        try:
            append = streams.execute(command, before.time)
        except RequestError as refusal:
            self._refusal = refusal
        else:
            streams = self._store(streams, append, before.time)
        self._streams = streams
        self._history = replace(before, commands=(*before.commands, command), streams=streams)
        self._sentence = Sentence("given(...).when(...) has no then(...)")

    @property
    def events(self) -> tuple[Event, ...]:
        """The events that the command appended.

        Raises:
            AssertionError: If it was refused.
        """
        self._sentence.end()
        return self._accepted_events()

    @property
    def state(self) -> Entity | None:
        """The entity after the command, None if there is none.

        Raises:
            AssertionError: If the command was refused.
        """
        self._sentence.end()
        self._accepted_events()
        return self._streams.fold(self._stream) if self._stream else None

    def at(self, time: datetime) -> Given:
        """Set the time of the commands that follow this one.

        Raises:
            AssertionError: If this one was refused.
            ValueError: If the time has no time zone.
        """
        self._sentence.end()
        self._accepted_events()
        return Given(self._history).at(time)

    def when(self, command: Command) -> Decided:
        """Run another command after this one.

        Raises:
            AssertionError: If this one was refused.
        """
        self._sentence.end()
        self._accepted_events()
        return Decided(self._history, command)

    def then(self, *events: Event) -> Decided:
        """Check that the command appended exactly these events, in this order.

        Raises:
            AssertionError: If it appended others, or was refused.
        """
        self._sentence.end()
        appended = self._accepted_events()
        if appended != events:
            raise self._failure(f"then  {compare_events(events, appended, 'appended')}")
        return self

    def then_nothing(self) -> Decided:
        """Check that the command was accepted and appended nothing."""
        return self.then()

    def then_refused(
        self, kind: type[RequestError] = Refused, pattern: str = "", *, field: str | None = None
    ) -> Decided:
        """Check that the command was refused.

        Args:
            kind: The class of the refusal; a subclass is one as well.
            pattern: A regular expression that the message contains.
            field: The field that the refusal names, None for any or none.

        Raises:
            AssertionError: If it was not refused, or in another way.
        """
        self._sentence.end()
        if self._refusal is None:
            appended = list_events(self._accepted_events()) or "      nothing"
            raise self._failure(f"then  it was not refused, and appended\n{appended}")
        wanted = _mismatch(self._refusal, kind, pattern, field)
        if wanted:
            raise self._failure(f"{self._refused()}\n      expected {wanted}")
        return self

    def leads_to(self, *events: Event) -> Decided:
        """Check the events of the command and all that follows by projections, in that order.

        What follows from one event comes before what follows from the next one.

        Raises:
            AssertionError: If others follow, or the command was refused, or a projection fails.
        """
        self._sentence.end()
        self._accepted_events()
        try:
            actual = self._streams.parse(self._streams.follow(self._documents))
        except AssertionError as error:
            raise self._failure(f"then  {error}") from error.__cause__
        if actual != events:
            raise self._failure(f"leads to  {compare_events(events, actual, 'followed')}")
        return self

    def _store(self, streams: Streams, append: Append | None, time: datetime) -> Streams:
        """Return the streams after the append, and record what it stores."""
        if append is None:
            return streams
        self._stream = append.stream_id
        self._documents = streams.number(append, time)
        return streams.with_documents(append.stream_id, self._documents)

    def _accepted_events(self) -> tuple[Event, ...]:
        if self._refusal is not None:
            raise self._failure(self._refused()) from self._refusal
        return self._streams.parse(self._documents)

    def _refused(self) -> str:
        refusal = self._refusal
        fields = [error.field for error in _field_errors(refusal)]
        named = f" (field {', '.join(fields)})" if fields else ""
        return f"then  it was refused: {type(refusal).__name__}: {refusal}{named}"

    def _failure(self, message: str) -> AssertionError:
        return AssertionError(f"{self._history}\n{message}")


def given(*events: Event, app: ModuleType | None = None) -> Given:
    """Return the events before a command, of any streams; the command sees those of its own.

    Args:
        events: The events in the order in which they happened.
        app: The package of the projection modules, None for that of the command.
    """
    return Given(_History(app, events))


def _field_errors(refusal: RequestError | None) -> tuple[FieldError, ...]:
    return refusal.errors if isinstance(refusal, (Refused, InvalidRequestError)) else ()


def _mismatch(
    refusal: RequestError, kind: type[RequestError], pattern: str, field: str | None
) -> str:
    """Return what was expected of a refusal and is not so, "" if nothing."""
    if not isinstance(refusal, kind):
        return kind.__name__
    if not re.search(pattern, str(refusal)):
        return f"a message with {pattern!r}"
    if field is not None and field not in [error.field for error in _field_errors(refusal)]:
        return f"field {field}"
    return ""
