"""Faults in appending to streams, and in their order."""

from __future__ import annotations

from tests.sabotage.mutation import Edit, Mutation, fault

_APPENDER = "core/streams/appender.py"
_APPENDS = "core/streams/appends.py"
_QUEUE = "core/streams/append_queue.py"
_DECIDING = "core/streams/deciding.py"
_ORDER = "core/model/order.py"

_TEST_APPENDER = "tests/unit/core/streams/test_appender.py"
_TEST_APPENDS = "tests/unit/core/streams/test_appends.py"
_TEST_QUEUE = "tests/unit/core/streams/test_append_queue.py"
_TEST_DECIDING = "tests/unit/core/streams/test_deciding.py"
_TEST_ORDER = "tests/unit/core/model/test_order.py"

STREAMS = (
    fault(
        "command-acknowledged-before-durable",
        "A command is accepted before its events are durable.",
        _APPENDER,
        "            conflict = await self.store.create(stream_id, creation.documents, deadline)\n",
        "            writing = self.store.create(stream_id, creation.documents, deadline)\n"
        "            asyncio.get_running_loop().create_task(writing)\n"
        "            conflict = None\n",
        _TEST_APPENDER,
    ),
    fault(
        "positions-not-checked",
        "An event replaces the one that another process stored at its position.",
        "core/cosmos/batches.py",
        'operations = [("create", (document,)) for document in documents]',
        'operations = [("upsert", (document,)) for document in documents]',
        _TEST_APPENDER,
    ),
    fault(
        "rejected-create-not-looked-at",
        "A command is accepted whatever the statuses of its operations are.",
        "core/cosmos/batches.py",
        "        if result.status not in required:",
        "        if not result.status:",
        _TEST_APPENDER,
    ),
    fault(
        "own-append-taken-for-a-conflict",
        "After a lost reply a command does not know its own events, and appends them again.",
        _APPENDER,
        "        return None if _token(stored) == _token(sent) else stored",
        "        return stored",
        _TEST_APPENDER,
    ),
    fault(
        "token-from-key",
        "Two executions of one key have the same token, so that one takes the other for itself.",
        "core/application.py",
        "                token=token_hex(8),",
        "                token=idempotency_key or token_hex(8),",
        "tests/acceptance/test_application.py::test_a_key_for_two_requests_is_rejected",
    ),
    fault(
        "unseen-taken-for-absent",
        "What a lagging replica does not show counts as not stored, and is appended again.",
        _APPENDER,
        "        if stored is None:\n            raise DeadlineExceededError(",
        "        if stored is None:\n"
        '            return {**sent, "meta": {}}\n'
        "            raise DeadlineExceededError(",
        _TEST_APPENDER,
    ),
    fault(
        "conflict-read-once",
        "What a replica does not show at once after a conflict is unknown.",
        "core/streams/event_store.py",
        "for attempt in range(8)",
        "for attempt in range(0)",
        _TEST_APPENDER,
    ),
    fault(
        "stale-head-kept",
        "After a conflict the same head is used again.",
        _APPENDER,
        "        self.heads.put(stream_id, max(newest, head_at(stored)))",
        "        max(newest, head_at(stored))",
        _TEST_APPENDER,
    ),
    fault(
        "unknown-outcome-keeps-head",
        "A process keeps the head of a stream of which it does not know what was stored.",
        _APPENDER,
        "            self.heads.forget(stream_id)\n            raise",
        "            raise",
        _TEST_APPENDER,
    ),
    fault(
        "unknown-outcome-sent-singly",
        "Commands of a joint request with an unknown outcome are sent again one by one.",
        _QUEUE,
        "        except RejectedByCosmosError as error:",
        "        except (RejectedByCosmosError, DeadlineExceededError) as error:",
        _TEST_QUEUE,
    ),
    fault(
        "one-rejected-rejects-all",
        "One command that Cosmos DB rejects fails those that were sent with it.",
        _QUEUE,
        "            if len(group) > 1:\n"
        "                return await self._send_singly(stream_id, group)\n"
        "            answers = [error]\n",
        "            answers = [error] * len(group)\n",
        _TEST_QUEUE,
        _TEST_APPENDER,
    ),
    fault(
        "expected-position-follows-others",
        "An append with an expected position is sent behind others in one request.",
        _APPENDS,
        "            return max(count, 1)\n",
        "            return count + 1\n",
        _TEST_APPENDER,
        _TEST_APPENDS,
    ),
    fault(
        "others-follow-expected-position",
        "Others share the request of an append with an expected position, and its conflict.",
        _APPENDS,
        "        if append.expected:\n            return",
        "        if append.expected and count:\n            return",
        _TEST_APPENDER,
        _TEST_APPENDS,
    ),
    Mutation(
        name="expected-position-trusted",
        effect="An expected position is taken from the caller's word, so that gaps appear.",
        edits=(
            Edit(
                file=_APPENDER,
                old='            raise PositionConflictError(f"Stream {stream_id} has no position',
                new='            head = Head(position, "")\n            str(f"Stream {stream_id}',
            ),
            Edit(
                file=_APPENDER,
                old="import create_documents, head_at",
                new="import Head as Head, create_documents, head_at",
            ),
        ),
        tests=(_TEST_APPENDER,),
    ),
    fault(
        "keys-not-recorded",
        "A command with a key that was executed is executed again.",
        _APPENDS,
        "        if append.key:\n            stream_id, token",
        "        if append.key and not append.events:\n            stream_id, token",
        _TEST_APPENDER,
        _TEST_APPENDS,
    ),
    fault(
        "key-after-events",
        "A repetition meets a conflict with events before it meets its key.",
        _APPENDS,
        "            documents.insert(first, key)",
        "            documents.append(key)",
        _TEST_APPENDER,
        _TEST_APPENDS,
    ),
    fault(
        "key-twice-in-a-request",
        "Two executions of one key share a request.",
        _APPENDS,
        " or (append.key and append.key.id in keys)",
        "",
        _TEST_APPENDER,
        _TEST_APPENDS,
    ),
    fault(
        "other-request-gets-the-answer",
        "Another request with the same key gets the answer of the first one.",
        "core/streams/keys.py",
        '    if data["request"] != key.request:',
        '    if not data["request"]:',
        _TEST_APPENDER,
        _TEST_APPENDS,
    ),
    fault(
        "bytes-not-counted",
        "A joint request is bounded by operations alone, and becomes too large.",
        _APPENDS,
        " or size > MAX_REQUEST_BYTES\n",
        "\n",
        _TEST_APPENDS,
    ),
    fault(
        "too-many-events-accepted",
        "A command may append more events than are atomic.",
        "core/streams/commands.py",
        "    if append.operations > MAX_OPERATIONS:",
        "    if append.operations > 3 * MAX_OPERATIONS:",
        "tests/unit/core/streams/test_commands.py",
    ),
)

DECIDING = (
    fault(
        "refused-on-an-old-state",
        "A decision refuses on a state that is not the newest one.",
        _DECIDING,
        'raise PositionConflictError(f"Stream {stream_id} has {following} meanwhile.")',
        "pass",
        _TEST_DECIDING,
    ),
    fault(
        "refusal-not-recorded",
        "A refusal with a key is forgotten, and a repetition gets another answer.",
        _DECIDING,
        "        return _result(await self.appender.record_refusal(append, append.key, refusal))",
        "        raise refusal",
        _TEST_DECIDING,
    ),
    fault(
        "decided-before-the-key",
        "A repetition decides on a state that holds its own events.",
        _DECIDING,
        "        if append.key is not None and append.key.id in state.keys:",
        "        if append.key is not None and append.key.id in ():",
        _TEST_DECIDING,
    ),
    fault(
        "decision-follows-others",
        "A decision is stored behind events that it was not made on.",
        _DECIDING,
        "events=decision, expected=state.head, time=time",
        "events=decision, time=time",
        _TEST_DECIDING,
    ),
    fault(
        "decision-before-what-it-saw",
        "A decision gets a time before that of a derived event that it was made on.",
        _DECIDING,
        "filter(None, (state.floor,))",
        "filter(None, (state.head.time,))",
        _TEST_DECIDING,
    ),
    fault(
        "decided-on-a-gap",
        "A decision is made on a state in which a position is missing.",
        "core/streams/stream_state.py",
        "        is_whole=head.position == len(own),",
        "        is_whole=True,",
        _TEST_DECIDING,
    ),
    fault(
        "expected-position-decided-again",
        "A decision that expects a position is made again after a conflict.",
        _DECIDING,
        "                if expected_position is not None:\n                    raise\n",
        "                expected_position = None\n",
        _TEST_DECIDING,
    ),
)

ORDER = (
    fault(
        "time-by-the-clock",
        "An event may be earlier than the one before it, where clocks differ.",
        _APPENDS,
        "*filter(None, (time,))",
        "*()",
        _TEST_APPENDER,
        _TEST_APPENDS,
    ),
    fault(
        "time-after-the-head-only",
        "An event may be earlier than a derived event that its command has seen.",
        _APPENDS,
        "parse_time(append.time) if append.time else now",
        "now",
        _TEST_APPENDS,
    ),
    fault(
        "cause-after-effect",
        "Of events with equal times, one may be folded before its cause.",
        _ORDER,
        "        hops=meta.hops,",
        "        hops=0,",
        _TEST_ORDER,
    ),
    fault(
        "siblings-by-id",
        "Derived events of one source are folded in the order of their ids.",
        _ORDER,
        "        place=meta.index,",
        "        place=0,",
        _TEST_ORDER,
    ),
    fault(
        "index-not-stored",
        "Derived events do not have their place among those of their source.",
        "core/projecting/fan_out.py",
        "index=index",
        "index=0",
        "tests/unit/core/projecting/test_derivation.py",
    ),
    fault(
        "rewritten-dates-projected",
        "Events whose dates the host has rewritten are projected as they are handed over.",
        "core/streams/stored_documents.py",
        "        if self.dates_rewritten is False:",
        "        if self.dates_rewritten is not True or documents:",
        "tests/unit/core/streams/test_stored_documents.py",
    ),
    fault(
        "old-version-projected",
        "Where a replica lags, an older version of an event is projected.",
        "core/streams/stored_documents.py",
        "        if _age(stored) < _age(document):",
        "        if _age(stored) < 0:",
        "tests/unit/core/streams/test_stored_documents.py",
    ),
)
