"""The faults that the tests must notice."""

from __future__ import annotations

from tests.sabotage.mutation import Mutation, fault

_IDS = "core/ids.py"
_PROCESSOR = "core/projecting/processor.py"
_RUN = "core/projecting/batch_run.py"
_FAN_OUT = "core/projecting/fan_out.py"
_BULK = "core/writing/bulk_writer.py"
_STREAM = "core/writing/stream_writer.py"
_BATCHES = "core/cosmos/batches.py"
_WORKER = "local/host/worker.py"

_TEST_PROCESSOR = "tests/unit/core/projecting/test_processor.py"
_TEST_RUN = "tests/unit/core/projecting/test_batch_run.py"
_TEST_DERIVATION = "tests/unit/core/projecting/test_derivation.py"
_TEST_BULK = "tests/unit/core/writing/test_bulk_writer.py"
_TEST_WRITER = "tests/unit/core/writing/test_writer.py"
_TEST_TRIGGERS = "tests/integration/host/test_triggers.py"

DERIVING = (
    fault(
        "random-ids",
        "Derived events get random ids.",
        _IDS,
        "text = sha1(_DERIVED_EVENTS.bytes + to_json(parts), usedforsecurity=False).hexdigest()",
        "text = (sha1(to_json(parts)).hexdigest(), uuid4().hex + '0' * 8)[1]",
        "tests/unit/core/test_ids.py",
        _TEST_DERIVATION,
        imports="from uuid import uuid4",
    ),
    fault(
        "ordinals-not-counted",
        "Two derived events of one type and stream get the same id.",
        "core/projecting/ordinals.py",
        "        self._counts[slot] = ordinal + 1",
        "        self._counts[slot] = 0",
        "tests/unit/core/projecting/test_ordinals.py",
        _TEST_DERIVATION,
    ),
    fault(
        "derived-time-differs",
        "Derived events get the time at which they are derived.",
        "core/model/documents.py",
        "        self._time = source.time",
        "        self._time = format_time(datetime.now(timezone.utc)) or source.time",
        _TEST_DERIVATION,
        imports=(
            "from datetime import datetime, timezone\nfrom core.model.times import format_time"
        ),
    ),
    fault(
        "hops-not-counted",
        "A derived event counts as many hops as its source, so that cycles never end.",
        "core/model/documents.py",
        "hops=meta.hops + 1",
        "hops=meta.hops",
        _TEST_DERIVATION,
    ),
    fault(
        "hop-limit-ignored",
        "Events are projected however many projections lie behind them.",
        _RUN,
        "elif (hops := fan_out.source.meta.hops) >= self._limits.hops:",
        "elif (hops := fan_out.source.meta.hops) > 2 * self._limits.hops:",
        _TEST_DERIVATION,
    ),
    fault(
        "undeclared-events-written",
        "A projection may emit events that its annotation does not declare.",
        _FAN_OUT,
        "if type(event) not in self.projection.derived_types:",
        "if False:",
        _TEST_DERIVATION,
    ),
)

POISON = (
    fault(
        "poison-not-parked",
        "An event that cannot be projected is passed over without a dead letter.",
        _PROCESSOR,
        "        parked = await self.dead_letters.park(parked, deadline)\n",
        "",
        _TEST_PROCESSOR,
    ),
    fault(
        "poison-parked-late",
        "A batch is done although parking a poison event failed.",
        _PROCESSOR,
        "        parked = await self.dead_letters.park(parked, deadline)\n",
        "        try:\n"
        "            await self.dead_letters.park(parked, deadline)\n"
        "        except Exception as error:\n"
        "            logger.error('parking failed: %r', error)\n",
        _TEST_PROCESSOR,
    ),
    fault(
        "unreadable-event-skipped",
        "An event that cannot be read is left out.",
        "core/projecting/derivation.py",
        "            yield PoisonEvent.from_error(module, cause, error, blocks=blocks)",
        "            _ = (PoisonEvent, cause, blocks)",
        _TEST_DERIVATION,
    ),
    fault(
        "part-of-a-failed-fan-out-written",
        "Of a projection that fails, what it emitted before is written.",
        _FAN_OUT,
        "        writes = [self._to_write(index, *event) for index, event in emitted]",
        "        writes = []\n"
        "        try:\n"
        "            for index, event in emitted:\n"
        "                writes.append(self._to_write(index, *event))\n"
        "        except PoisonError:\n"
        "            self.is_done = True",
        _TEST_DERIVATION,
    ),
    fault(
        "lease-not-blocked",
        "The lease advances past an event that blocks it.",
        _PROCESSOR,
        "            raise _blocked_error(run.blocked[0])",
        "            _ = _blocked_error(run.blocked[0])",
        _TEST_PROCESSOR,
    ),
    fault(
        "parked-stream-continues",
        "Later events of a stream are projected although an earlier one is parked.",
        "core/projecting/batch_run.py",
        "        if parked is not None and parked.must_park(fan_out.projection, fan_out.cause):",
        "        if parked is not None and parked is None:",
        "tests/unit/core/projecting/test_parked_streams.py",
        _TEST_PROCESSOR,
    ),
    fault(
        "dead-letter-replaced",
        "Parking an event again replaces its first dead letter.",
        "core/dead_letters/store.py",
        "return await self.container.create(action, dead_letter.to_document(), deadline)",
        "await self.container.upsert(action, dead_letter.to_document(), deadline); return True",
        "tests/unit/core/dead_letters/test_store.py",
    ),
)

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
        "    if len(responses) != len(operations):",
        "    if not isinstance(responses, list):",
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

FAN_OUTS = (
    fault(
        "progress-not-reset",
        "A large fan-out continues after its stored progress although the code emits other events.",
        _RUN,
        "        if fan_out.fingerprint == progress.fingerprint:",
        "        if progress.fingerprint:",
        _TEST_RUN,
    ),
    fault(
        "progress-ahead",
        "The stored progress of a large fan-out counts a chunk that is not durable.",
        _PROCESSOR,
        "        written=fan_out.derived_count,",
        "        written=fan_out.derived_count + CHUNK_SIZE,",
        _TEST_RUN,
    ),
    fault(
        "progress-left-behind",
        "The stored progress of a large fan-out stays when the fan-out is done.",
        _PROCESSOR,
        "            await self.fan_out_progress.remove(_progress_of(fan_out), deadline)",
        "            _progress_of(fan_out)",
        _TEST_RUN,
    ),
    fault(
        "ordinals-begin-again",
        "After stored progress, ordinals are counted from 0 again.",
        _FAN_OUT,
        "            self._take(count)\n",
        "            self._take(count)\n            self._ordinals = Ordinals()\n",
        _TEST_RUN,
    ),
    fault(
        "written-again-on-retry",
        "A retry in the same process writes again what was acknowledged.",
        _PROCESSOR,
        "        run = self.failed_runs.pop(key)",
        "        run = self.failed_runs.pop(key) and None",
        _TEST_PROCESSOR,
        _TEST_RUN,
    ),
)

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

MUTATIONS: tuple[Mutation, ...] = (*DERIVING, *POISON, *WRITING, *FAN_OUTS, *HOST)
