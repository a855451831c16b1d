"""Fixtures of several acceptance tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
from azure.cosmos.aio import DatabaseProxy

from core.application import Application
from core.model.registry import ProjectionModule, Registry


@pytest.fixture
async def opened(
    environ: dict[str, str], database: DatabaseProxy
) -> AsyncIterator[Callable[..., Application]]:
    """Opens an application of one module, and closes it whatever the test comes to."""
    del database
    async with AsyncExitStack() as stack:

        def open_application(module: ProjectionModule) -> Application:
            registry = Registry(modules={module.name: module}, events={}, commands={}, entities={})
            application = Application(registry, environ)
            stack.push_async_callback(application.close)
            return application

        yield open_application
