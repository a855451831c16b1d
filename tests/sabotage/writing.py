"""Faults in writing derived events, and in retrying."""

from __future__ import annotations

from tests.sabotage.mutation import fault

_PROCESSOR = "core/projecting/processor.py"
_BULK = "core/writing/bulk_writer.py"
_STREAM = "core/writing/stream_writer.py"
_BATCHES = "core/cosmos/batches.py"

_TEST_RUN = "tests/unit/core/projecting/test_batch_run.py"
_TEST_BULK = "tests/unit/core/writing/test_bulk_writer.py"
_TEST_WRITER = "tests/unit/core/writing/test_writer.py"

WRITING = (
    fault(
        "acknowledged-before-durable",
        "A batch is done although writes were not acknowledged.",
        _PROCESSOR,
        '            raise TransientError(f"{len(run.pending)} derived',
        '            run.pending.clear()\n            str(f"{len(run.pending)} derived',
        _TEST_RUN,
    ),
    fault(
        "errors-swallowed",
        "Errors of concurrent writes are swallowed.",
        "core/writing/results.py",
        "        raise max(errors, key=_severity)",
        "        max(errors, key=_severity)",
        _TEST_WRITER,
        _TEST_BULK,
    ),
    fault(
        "lost-reply-counts-as-written",
        "A transactional batch without a response counts as written.",
        _STREAM,
        "refresh(call.deadline)\n                raise\n",
        "refresh(call.deadline)\n                    raise\n",
        _TEST_WRITER,
    ),
    fault(
        "bulk-failure-counts-as-written",
        "Of a bulk request that failed as a whole, the writes count as written.",
        _BULK,
        "        except CosmosError:\n            request.is_retry = True",
        "        except CosmosError:\n"
        "            self._apply(request.streams, [OperationResult(201)] * len(request.streams))\n"
        "            request.streams.clear()\n"
        "            return\n"
        "            request.is_retry = True",
        _TEST_BULK,
    ),
    fault(
        "rejected-operation-not-looked-at",
        "An operation of a bulk request counts as written whatever its status is.",
        _BATCHES,
        '_UPSERTED if response["statusCode"] == _CREATED else _result(response)',
        "_UPSERTED if response else _result(response)",
        _TEST_BULK,
    ),
    fault(
        "results-not-counted",
        "A response with fewer results than operations counts as a success.",
        _BATCHES,
        "    if len(results) != count:",
        "    if not count:",
        _TEST_WRITER,
    ),
    fault(
        "order-in-a-stream-not-kept",
        "A write that failed is sent after the next one of its stream.",
        _BULK,
        "                failed.append(stream)\n",
        "                stream.rotate(-1)\n                failed.append(stream)\n",
        _TEST_BULK,
    ),
    fault(
        "two-writes-of-a-stream-in-flight",
        "The next write of a stream is sent before the one before it is acknowledged.",
        _BULK,
        "        request = _PendingRequest([self._ready.popleft() for _ in range(count)])\n",
        "        request = _PendingRequest([self._ready.popleft() for _ in range(count)])\n"
        "        self._ready.extend(\n"
        "            type(one)([one.pop()]) for one in request.streams if len(one) > 1\n"
        "        )\n",
        _TEST_BULK,
    ),
    fault(
        "everybody-blamed",
        "If Cosmos DB rejects a batch, all of its events are parked.",
        _STREAM,
        "            if error is not None and len(sent) > 1:\n"
        "                individually = len(sent)\n"
        "                continue\n",
        "",
        _TEST_WRITER,
    ),
    fault(
        "split-not-noticed",
        "After a split, writes go on to the partition that is gone.",
        _STREAM,
        "                if error.status == GONE:",
        "                if error.status == -GONE:",
        _TEST_WRITER,
    ),
    fault(
        "retry-after-ignored",
        "A request is sent again before its retry-after delay has passed.",
        "core/throttling/backoff.py",
        "        return max(retry_after, 0.0)",
        "        return min(max(retry_after, 0.0), INITIAL_BACKOFF_SECONDS)",
        "tests/unit/core/throttling",
    ),
    fault(
        "throttling-not-shared",
        "Other requests to a throttled partition do not wait.",
        "core/throttling/rate_limiters.py",
        "            of_partition.on_throttled(last, delay)",
        "            _ = (of_partition, last, delay)",
        "tests/unit/core/throttling",
    ),
    fault(
        "deadline-ignored",
        "Attempts go on after the deadline.",
        "core/throttling/retrier.py",
        "            stop=lambda state: state.upcoming_sleep >= deadline.remaining(),",
        "            stop=lambda state: state.attempt_number > 1_000,",
        "tests/unit/core/throttling",
    ),
    fault(
        "throttled-counts-as-rejected",
        "A 503 counts as a rejection, so that events are parked.",
        "core/cosmos/errors.py",
        "    **dict.fromkeys((0, 408, 410, 500, 502, 503, 504), TransientError),",
        "    **dict.fromkeys((0, 408, 410, 500, 502, 504), TransientError),",
        "tests/unit/core/cosmos/test_errors.py",
    ),
)
