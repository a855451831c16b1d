"""Calls the app's functions, the way the Python worker does."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import azure.functions as func

if TYPE_CHECKING:
    from collections.abc import Callable


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


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """Which attempt at an invocation it is, counted from 0, and how many may follow."""

    number: int = 0
    most: int = 0


async def call(
    name: str, function: Callable[..., Any], argument: str, value: object, attempt: Attempt
) -> Any:  # noqa: ANN401 - whatever the function returns
    """Call a function with its trigger's value; plain functions run in a thread."""
    arguments: dict[str, Any] = {argument: value}
    if _takes_context(function):
        retry = _RetryContext(attempt.number, attempt.most)
        arguments["context"] = _Context(name, retry)
    if inspect.iscoroutinefunction(function):
        return await function(**arguments)
    return await asyncio.to_thread(function, **arguments)


@cache
def _takes_context(function: Callable[..., Any]) -> bool:
    return "context" in inspect.signature(function).parameters
