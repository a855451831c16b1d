"""The embedded Cosmos DB for callers without an event loop, such as the sync client of the SDK."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from local.cosmos.server import CosmosOptions, EmbeddedCosmos

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def run_in_thread(options: CosmosOptions) -> Iterator[EmbeddedCosmos]:
    """Run the embedded Cosmos DB in a separate thread while the block runs.

    Raises:
        OSError: If the port is in use, or the folder cannot be used.
        ValueError: If the key is not Base64.
    """
    server = EmbeddedCosmos(options)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="embedded Cosmos DB", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result()
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
