"""Hosts over a container in memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.hosts import Host
from tests.support import MemoryContainer


@pytest.fixture
def container() -> MemoryContainer:
    return MemoryContainer()


@pytest.fixture
def hosts(container: MemoryContainer) -> Callable[..., Host]:
    """Makes hosts."""
    return lambda **options: Host(container, **options)
