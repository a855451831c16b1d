"""Calls of the app's functions, made as by the Python worker of Azure."""

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

from local.host.retries import next_delay

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from local.host.bindings import Trigger

logger = logging.getLogger(__name__)

LEASE: ContextVar[tuple[str, str]] = ContextVar("LEASE")
"""The function and the lease token of the current batch, for log records written meanwhile."""


CUT_OFF_MESSAGE = "host.cut_off running_calls=%d"
"""The log message of a host that is cut off from its calls."""


class InvocationResult(enum.Enum):
    """The result of an invocation with its retries."""

    SUCCEEDED = enum.auto()
    FAILED = enum.auto()
    STOPPED = enum.auto()


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """An attempt: its number, counted from 0, and the maximum number of retries."""

    number: int = 0
    max_retries: int = 0


class Invoker:
    """Calls functions as tasks of their own, so that they can outlive the callers that wait.

    Args:
        timeout: The maximum seconds of an attempt, or None for no limit.
    """

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._running_calls: set[asyncio.Task[Any]] = set()
        self._waiters: set[asyncio.Task[Any]] = set()
        self._is_cut_off = False

    async def call(self, trigger: Trigger, value: object, attempt: Attempt) -> Any:  # noqa: ANN401 - whatever the function returns
        """Call the function of a trigger with a value, and return its result.

        Raises:
            TimeoutError: If it takes longer than `functionTimeout`.
            Exception: If the function raises it.
        """
        task = asyncio.create_task(_call(trigger, value, attempt))
        self._running_calls.add(task)
        task.add_done_callback(self._remove_call)
        waiter = asyncio.current_task()
        try:
            if waiter is not None:
                self._waiters.add(waiter)
            await asyncio.wait({task}, timeout=self._timeout)
        finally:
            self._waiters.discard(waiter)
            if not self._is_cut_off:
                task.cancel()
        if not task.done():
            await asyncio.wait({task})
            raise TimeoutError(f"The call took longer than functionTimeout, {self._timeout} s.")
        return task.result()

    async def deliver(
        self,
        trigger: Trigger,
        value: Callable[[], object],
        pause: Callable[[float], Awaitable[bool]],
    ) -> InvocationResult:
        """Call the function of a trigger, with the retries of its policy.

        Args:
            trigger: The trigger.
            value: A function that returns the value for an attempt.
            pause: A function that waits for the given seconds, and returns True if the host stops.
        """
        function, failures = trigger.function, 0
        policy = function.retry
        while True:
            attempt = Attempt(number=failures, max_retries=policy.max_retries if policy else 0)
            try:
                await self.call(trigger, value(), attempt)
            except Exception:
                failures += 1
                logger.exception(
                    "function.failed function=%s attempt=%d", *(function.name, failures)
                )
            else:
                return InvocationResult.SUCCEEDED
            seconds = next_delay(policy, failures, random.random()) if policy else None  # noqa: S311 - jitter
            if seconds is None:
                return InvocationResult.FAILED
            if await pause(seconds):
                return InvocationResult.STOPPED

    def cut_off(self) -> None:
        """Cancel every wait for a function but not the functions, which continue as in Azure."""
        logger.warning(CUT_OFF_MESSAGE, len(self._running_calls))
        self._is_cut_off = True
        for waiter in self._waiters:
            waiter.cancel()

    async def finish(self) -> None:
        """Wait for the running calls, but not longer than the timeout."""
        if self._running_calls:
            await asyncio.wait(self._running_calls, timeout=self._timeout)

    def _remove_call(self, task: asyncio.Task[Any]) -> None:
        self._running_calls.discard(task)
        if self._is_cut_off and not task.cancelled() and (error := task.exception()):
            logger.error("function.failed_after_cut_off", exc_info=error)


async def pause(stopping: asyncio.Event, seconds: float) -> bool:
    """Wait for the given seconds or until the host stops; return whether it stops."""
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except asyncio.TimeoutError:
        return False
    return True


async def _call(trigger: Trigger, value: object, attempt: Attempt) -> Any:  # noqa: ANN401 - whatever the function returns
    function = trigger.function
    arguments: dict[str, Any] = {trigger.argument: value}
    if _takes_context(function.call):
        retry = _RetryContext(attempt.number, attempt.max_retries)
        arguments["context"] = _Context(function.name, retry)
    if inspect.iscoroutinefunction(function.call):
        return await function.call(**arguments)
    return await asyncio.to_thread(function.call, **arguments)


@dataclass(frozen=True)
class _RetryContext:
    retry_count: int
    max_retry_count: int


class _Context(func.Context):
    """The context of an invocation, for functions with a parameter `context`."""

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
