"""Faults in deriving events, parking events and large fan-outs."""

from __future__ import annotations

from tests.sabotage.mutation import fault

_IDS = "core/ids.py"
_PROCESSOR = "core/projecting/processor.py"
_RUN = "core/projecting/batch_run.py"
_FAN_OUT = "core/projecting/fan_out.py"

_TEST_PROCESSOR = "tests/unit/core/projecting/test_processor.py"
_TEST_RUN = "tests/unit/core/projecting/test_batch_run.py"
_TEST_DERIVATION = "tests/unit/core/projecting/test_derivation.py"

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
        "source.meta.hops + 1",
        "source.meta.hops",
        _TEST_DERIVATION,
    ),
    fault(
        "hop-limit-ignored",
        "Events are projected however many projections lie behind them.",
        _RUN,
        ") >= self._limits.hops:",
        ") > 2 * self._limits.hops:",
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
        "            write = self._to_write(event, first + len(chunk))\n",
        "            try:\n"
        "                write = self._to_write(event, first + len(chunk))\n"
        "            except PoisonError:\n"
        "                self.is_done = True\n"
        "                break\n",
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
        "if parked is not None and parked.must_park(fan_out.projection, fan_out.cause):",
        "if parked is not None and parked is None:",
        "tests/unit/core/projecting/test_parked_streams.py",
        _TEST_PROCESSOR,
    ),
    fault(
        "later-event-does-not-wait",
        "Later events of a stream are projected before the one before is written or parked.",
        _RUN,
        "        return parked.must_wait(fan_out.projection, fan_out.cause)",
        "        return False",
        "tests/unit/core/projecting/test_parked_streams.py",
    ),
    fault(
        "dead-letter-version-ignored",
        "A dead letter is changed although somebody else has changed it since it was read.",
        "core/dead_letters/store.py",
        "if await self.container.replace(action, sent.to_document(), stored.etag, deadline):",
        "if not await self.container.upsert(action, sent.to_document(), deadline):",
        "tests/unit/core/dead_letters/test_interleavings.py",
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

BOUNDS = (
    fault(
        "loop-held",
        "A fan-out is derived at one go, while other tasks wait.",
        _FAN_OUT,
        "            if now() >= turn_ends:",
        "            if now() < 0:",
        _TEST_RUN,
    ),
    fault(
        "slow-by-the-clock",
        "A projection is too slow by a clock, which a busy host makes slow.",
        _RUN,
        "self._record_cpu_time(fan_out, turn.cpu_seconds)",
        "self._record_cpu_time(fan_out, turn.clock() - turn.ends)",
        _TEST_RUN,
    ),
    fault(
        "slow-once",
        "A projection is too slow when it exceeds its processor time once.",
        _RUN,
        "_MAX_OVERRUNS = 2",
        "_MAX_OVERRUNS = 1",
        _TEST_RUN,
    ),
    fault(
        "slow-projection-not-parked",
        "An event whose projection computes for too long is delivered for ever.",
        _RUN,
        "self._overruns += 1",
        "self._overruns += 0",
        _TEST_RUN,
    ),
    fault(
        "chunk-not-bounded-by-bytes",
        "A chunk of large events takes any amount of memory.",
        _FAN_OUT,
        " or self._chunk_bytes >= MAX_CHUNK_BYTES:",
        ":",
        _TEST_RUN,
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
        "        written=fan_out.derived_count + 1_000,",
        _TEST_RUN,
    ),
    fault(
        "progress-of-another-container",
        "In a container that was created again, progress of the one before counts as durable.",
        "core/tracking/fan_out_progress.py",
        'progress is not None and progress.container == started.container != ""',
        "progress is not None",
        _TEST_RUN,
    ),
    fault(
        "run-of-another-container",
        "In a container that was created again, a failed batch of the one before is continued.",
        _PROCESSOR,
        '_VERSION = ("streamId", "id", "_rid", "_etag")',
        '_VERSION = ("streamId", "id")',
        _TEST_RUN,
    ),
    fault(
        "late-progress-shown",
        "Progress that is stored after the event was processed is shown as a fan-out in progress.",
        "core/tracking/fan_out_progress.py",
        "(lease.lsn is None or lease.lsn < self.lsn)",
        "True",
        "tests/integration/core/test_fan_outs.py",
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
        "                if self.derived_count >= count or turn.is_over:\n",
        "                if self.derived_count >= count or turn.is_over:\n"
        "                    self._ordinals = Ordinals()\n",
        _TEST_RUN,
    ),
    fault(
        "written-again-on-retry",
        "A retry in the same process writes again what was acknowledged.",
        _PROCESSOR,
        "        run = run or self._start(module, documents)",
        "        run = self._start(module, documents)",
        _TEST_PROCESSOR,
        _TEST_RUN,
    ),
)
