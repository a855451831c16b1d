"""Faults of the trigger and its host."""

from __future__ import annotations

from tests.sabotage.mutation import fault

_WORKER = "local/host/worker.py"

_TEST_TRIGGERS = "tests/integration/host/test_triggers.py"

HOST = (
    fault(
        "checkpoint-first",
        "The host stores the checkpoint of a batch before the function has succeeded.",
        _WORKER,
        "                if not await self._deliver(page):",
        "                await self._owned_lease.update(ContinuationToken=page.continuation)\n"
        "                if not await self._deliver(page):",
        _TEST_TRIGGERS,
    ),
    fault(
        "failed-batch-passed-over",
        "The host continues with the next batch after one attempt that failed.",
        "local/host/invocation.py",
        "            if seconds is None:",
        "            if seconds is not None or policy is None:",
        _TEST_TRIGGERS,
    ),
    fault(
        "retries-are-limited",
        "The trigger gives up on a batch after five attempts.",
        "core/functions/triggers.py",
        'max_retry_count="-1"',
        'max_retry_count="5"',
        "tests/test_architecture.py",
    ),
    fault(
        "beginning-left-out",
        "The trigger leaves out what was stored before its first start.",
        "core/functions/triggers.py",
        "start_from_beginning=True,",
        "start_from_beginning=False,",
        "tests/test_architecture.py",
    ),
    fault(
        "lost-lease-checkpointed",
        "A host stores a checkpoint in a lease that another host owns.",
        "local/host/lease_store.py",
        "            if lease.owner != expected:",
        "            if lease.owner is None:",
        _TEST_TRIGGERS,
    ),
)
