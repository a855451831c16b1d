"""Faults in sessions, clocks, and what belongs to a container."""

from __future__ import annotations

from tests.sabotage.mutation import fault

_SESSIONS = "core/cosmos/sessions.py"
_TEST_SESSIONS = "tests/integration/core/test_sessions.py"

READING = (
    fault(
        "session-token-dropped",
        "The session token of a batch is dropped, so that a process does not see its own writes.",
        _SESSIONS,
        "        if _SESSION_TOKEN in headers:",
        "        if not headers:",
        _TEST_SESSIONS,
    ),
    fault(
        "client-not-entered",
        "The SDK's client is not entered, so that every read may be old.",
        "core/services.py",
        "Requests(limiters=limiters, retrier=retrier, enter=client.enter)",
        "Requests(limiters=limiters, retrier=retrier)",
        "tests/acceptance/test_application.py",
    ),
    fault(
        "session-of-another-container",
        "Reads of a container that was created again ask for a state of the old one for ever.",
        _SESSIONS,
        "        return rid not in tokens or waited > _MAX_WAIT_SECONDS",
        "        return rid is None",
        _TEST_SESSIONS,
    ),
    fault(
        "clock-not-corrected",
        "A host whose clock is years ahead puts its events behind all later ones.",
        "core/cosmos/clock.py",
        "        if sent - _TOLERANCE - _RESOLUTION <= stated <= received + _TOLERANCE:",
        "        if sent or stated or received:",
        "tests/unit/core/cosmos/test_clock.py",
    ),
    fault(
        "discard-undone",
        "A discard is undone by a change that was begun before it.",
        "core/dead_letters/store.py",
        "sent.to_document(), stored.etag, deadline)",
        "sent.to_document(), None, deadline)",
        "tests/acceptance/test_deadletters.py",
        "tests/unit/core/dead_letters",
    ),
    fault(
        "checkpoint-ahead-not-noticed",
        "A checkpoint that is newer than its partition counts as caught up.",
        "core/tracking/lag.py",
        "    return lsn is not None and lsn > max(",
        "    return lsn is not None and -lsn > max(",
        "tests/integration/core/test_tracker.py",
        "tests/unit/core/tracking",
    ),
)
