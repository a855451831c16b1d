"""The schedule of disruptions, which is computed from a seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DisruptionKind = Literal["faults", "kill", "restart", "crash", "split", "cutOff", "clock"]
FaultRules = list[dict[str, Any]]

_FAULT_PROFILES: Mapping[str, FaultRules] = {
    "connection resets": [
        {"fault": "resetBefore", "rate": 0.04},
        {"fault": "resetAfter", "rate": 0.06},
        {"fault": "slow", "rate": 0.05, "durationMs": 700},
    ],
    "none": [],
    "transient errors": [
        {"fault": fault, "rate": 0.03}
        for fault in ("retryWith", "timeout", "gone", "error", "unavailable")
    ],
    "partial batches": [{"fault": "partial", "rate": 0.3, "operations": ["BATCH"]}],
    "outages": [{"fault": "outage", "rate": 0.004, "durationMs": 800}],
    "hanging writes": [
        {"fault": "hang", "rate": 0.02, "operations": ["BATCH"], "durationMs": 25_000}
    ],
    "throttling": [
        {"fault": "throttled", "rate": 0.25, "durationMs": 150},
        {"fault": "throttledWithoutRetryAfter", "rate": 0.1},
    ],
}
"""Faults that occur together. Their order is part of what a seed gives."""

_INTERVAL_SECONDS: Mapping[DisruptionKind, tuple[float, float]] = {
    "faults": (4, 9),
    "kill": (6, 12),
    "restart": (25, 45),
    "crash": (30, 60),
    "split": (20, 40),
    "cutOff": (8, 16),
    "clock": (5, 15),
}
"""The minimum and the maximum time between two disruptions of a kind."""

_MAX_SPLITS = 8
_MIN_SKEW_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class Disruption:
    """A planned disruption.

    Attributes:
        at: The time in seconds after the start.
        kind: Whether the faults change, a host is killed, restarted cleanly or cut off from its
            calls, the embedded Cosmos DB is killed, a physical partition is split, or the clock of
            a host steps.
        host: The index of the host.
        plan: The new fault plan.
        skew: The seconds by which the clock is wrong from then on.
    """

    at: float
    kind: DisruptionKind
    host: int = 0
    plan: Mapping[str, Any] | None = None
    skew: float = 0.0


def schedule(seed: int, seconds: float, hosts: int, max_skew: float) -> list[Disruption]:
    """Return the disruptions within a time, in order; the same seed gives the same ones.

    Args:
        seed: The random seed.
        seconds: The time.
        hosts: The number of hosts.
        max_skew: The seconds by which a clock may be wrong, 0 if all are right.
    """
    random = Random(seed)  # noqa: S311 - it is to be repeatable, not secret
    disruptions = [
        disruption
        for kind in _INTERVAL_SECONDS
        if max_skew or kind != "clock"
        for disruption in _disruptions(random, kind, seconds, hosts, max_skew)
    ]
    return sorted(disruptions, key=lambda disruption: disruption.at)


def clock_skews(seed: int, hosts: int, max_skew: float) -> list[float]:
    """Return the seconds by which the clock of each host is wrong at the start, none if 0."""
    random = Random(f"clocks {seed}")  # noqa: S311 - as above
    return [_skew(random, max_skew) for _ in range(hosts)] if max_skew else []


def poison_positions(seed: int, follows: int, count: int) -> list[int]:
    """Return the positions of the follows after which a poison event is stored."""
    random = Random(f"poison {seed}")  # noqa: S311 - as above
    return sorted(random.sample(range(follows), k=min(count, follows)))


def _disruptions(
    random: Random, kind: DisruptionKind, seconds: float, hosts: int, max_skew: float
) -> Iterator[Disruption]:
    shortest, longest = _INTERVAL_SECONDS[kind]
    at = random.uniform(0, shortest)
    number = 0
    while at < seconds and not (kind == "split" and number == _MAX_SPLITS):
        plan = _fault_plan(random) if kind == "faults" else None
        skew = _skew(random, max_skew) if kind == "clock" else 0.0
        yield Disruption(at=at, kind=kind, host=random.randrange(hosts), plan=plan, skew=skew)
        at += random.uniform(shortest, longest)
        number += 1


def _skew(random: Random, largest: float) -> float:
    """Return by how much a clock is wrong: as likely by 50 ms to 1 s as by 30 s to 10 min."""
    size = math.exp(random.uniform(math.log(_MIN_SKEW_SECONDS), math.log(largest)))
    return random.choice((-1, 1)) * size


def _fault_plan(random: Random) -> Mapping[str, Any]:
    chosen = random.sample(list(_FAULT_PROFILES), k=random.randint(1, 2))
    rules = [rule for name in chosen for rule in _FAULT_PROFILES[name]]
    return {"seed": random.getrandbits(32), "rules": rules}
