"""Calls the app's functions, the way the Python worker does."""

from __future__ import annotations

import asyncio
import enum
import inspect
import logging
import random
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import azure.functions as func

from local.host.retries import delay

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from local.host.bindings import Trigger

logger = logging.getLogger(__name__)

LEASE: ContextVar[tuple[str, str]] = ContextVar("LEASE")
"""The function and the lease whose batch is being processed, for what is logged on the way."""


class Result(enum.Enum):
    """What became of an invocation, its retries included."""

    SUCCEEDED = enum.auto()
    FAILED = enum.auto()
    STOPPED = enum.auto()


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """An attempt's number, counted from 0, and how many may follow the first."""

    number: int = 0
    most: int = 0


class Invoker:
    """Calls functions, and keeps what runs apart from what waits for it.

    Args:
        timeout: The seconds that an attempt may take; None for no limit.
    """

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._running: set[asyncio.Task[Any]] = set()
        self._waiting: set[asyncio.Task[Any]] = set()
        self._is_cut_off = False

    async def call(self, trigger: Trigger, value: object, attempt: Attempt) -> Any:  # noqa: ANN401 - whatever the function returns
        """Call a trigger's function with a value and return its result.

        Raises:
            TimeoutError: If it takes longer than `functionTimeout`.
            Exception: What the function raises.
        """
        task = asyncio.create_task(_call(trigger, value, attempt))
        self._running.add(task)
        task.add_done_callback(self._forget)
        waiter = asyncio.current_task()
        try:
            if waiter is not None:
                self._waiting.add(waiter)
            await asyncio.wait({task}, timeout=self._timeout)
        finally:
            self._waiting.discard(waiter)
            if not self._is_cut_off:
                task.cancel()
        if not task.done():
            await asyncio.wait({task})
            raise TimeoutError(f"It took longer than functionTimeout, {self._timeout} s.")
        return task.result()

    async def deliver(
        self,
        trigger: Trigger,
        value: Callable[[], object],
        pause: Callable[[float], Awaitable[bool]],
    ) -> Result:
        """Call a trigger's function, again and again if its retry policy says so.

        Args:
            trigger: The trigger.
            value: What makes the value for an attempt.
            pause: What waits for a number of seconds; it returns True when the host stops.
        """
        function, failures = trigger.function, 0
        policy = function.retry
        while True:
            attempt = Attempt(number=failures, most=policy.count if policy else 0)
            try:
                await self.call(trigger, value(), attempt)
            except Exception:
                failures += 1
                logger.exception(
                    "function.failed function=%s attempt=%d", *(function.name, failures)
                )
            else:
                return Result.SUCCEEDED
            seconds = delay(policy, failures, random.random()) if policy else None  # noqa: S311 - jitter
            if seconds is None:
                return Result.FAILED
            if await pause(seconds):
                return Result.STOPPED

    def cut_off(self) -> None:
        """Cancel every wait for a function, but not the functions, which Azure leaves to Python."""
        logger.warning("host.cut_off calls=%d", len(self._running))
        self._is_cut_off = True
        for waiter in self._waiting:
            waiter.cancel()

    async def finish(self) -> None:
        """Return when nothing runs any more, or only what takes longer than it may."""
        if self._running:
            await asyncio.wait(self._running, timeout=self._timeout)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if self._is_cut_off and not task.cancelled() and (error := task.exception()):
            logger.error("function.failed after the host was cut off", exc_info=error)


async def pause(stopping: asyncio.Event, seconds: float) -> bool:
    """Wait, but not longer than until the host stops; return whether it does."""
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except asyncio.TimeoutError:
        return False
    return True


async def _call(trigger: Trigger, value: object, attempt: Attempt) -> Any:  # noqa: ANN401 - whatever the function returns
    function = trigger.function
    arguments: dict[str, Any] = {trigger.argument: value}
    if _takes_context(function.call):
        retry = _RetryContext(attempt.number, attempt.most)
        arguments["context"] = _Context(function.name, retry)
    if inspect.iscoroutinefunction(function.call):
        return await function.call(**arguments)
    return await asyncio.to_thread(function.call, **arguments)


@dataclass(frozen=True)
class _RetryContext:
    retry_count: int
    max_retry_count: int


class _Context(func.Context):
    """What a function that asks for `context` gets."""

    def __init__(self, name: str, retry: _RetryContext) -> None:
        self._name = name
        self._retry = retry
        self._id = str(uuid4())

    @property
    def invocation_id(self) -> str:
        return self._id

    @property
    def function_name(self) -> str:
        return self._name

    @property
    def function_directory(self) -> str:
        return ""

    @property
    def trace_context(self) -> Any:  # noqa: ANN401 - as the library declares it
        return None

    @property
    def thread_local_storage(self) -> Any:  # noqa: ANN401 - as the library declares it
        return None

    @property
    def retry_context(self) -> Any:  # noqa: ANN401 - as the library declares it
        return self._retry


@cache
def _takes_context(function: Callable[..., Any]) -> bool:
    return "context" in inspect.signature(function).parameters
