"""What goes wrong, and when: everything follows from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

What = Literal["weather", "kill", "restart", "crash", "split", "cut_off"]
Rules = list[dict[str, Any]]

_WEATHERS: Mapping[str, Rules] = {
    "calm": [],
    "throttling": [
        {"fault": "throttled", "rate": 0.25, "milliseconds": 150},
        {"fault": "throttled_without_hint", "rate": 0.1},
    ],
    "flickering": [
        {"fault": fault, "rate": 0.03}
        for fault in ("retry_with", "timeout", "gone", "error", "unavailable")
    ],
    "bad line": [
        {"fault": "reset_before", "rate": 0.04},
        {"fault": "reset_after", "rate": 0.06},
        {"fault": "slow", "rate": 0.05, "milliseconds": 700},
    ],
    "half done": [{"fault": "partial", "rate": 0.3, "verbs": ["BATCH"]}],
    "stuck": [{"fault": "hang", "rate": 0.02, "verbs": ["BATCH"], "milliseconds": 25_000}],
    "outages": [{"fault": "outage", "rate": 0.004, "milliseconds": 800}],
}

_EVERY: Mapping[What, tuple[float, float]] = {
    "weather": (4, 9),
    "kill": (6, 12),
    "restart": (25, 45),
    "crash": (30, 60),
    "split": (20, 40),
    "cut_off": (8, 16),
}
"""Seconds from one to the next, at least and at most."""

_MOST_SPLITS = 8


@dataclass(frozen=True, kw_only=True)
class Act:
    """Something that goes wrong.

    Attributes:
        at: Seconds after the beginning.
        what: The weather changes, a host is killed, restarted cleanly or cut off from its calls,
            the embedded Cosmos DB is killed and started again, a physical partition is split.
        host: Which host.
        plan: Faults of the new weather.
    """

    at: float
    what: What
    host: int = 0
    plan: Mapping[str, Any] | None = None


def schedule(seed: int, seconds: float, hosts: int) -> list[Act]:
    """What goes wrong within so many seconds, in its order; the same for the same seed."""
    random = Random(seed)  # noqa: S311 - to be repeated, not to be secret
    acts = [act for what in _EVERY for act in _acts(random, what, seconds, hosts)]
    return sorted(acts, key=lambda act: act.at)


def planted(seed: int, follows: int, count: int) -> list[int]:
    """Behind which of the follows a poison event is planted."""
    random = Random(f"poison {seed}")  # noqa: S311 - as above
    return sorted(random.sample(range(follows), k=min(count, follows)))


def _acts(random: Random, what: What, seconds: float, hosts: int) -> Iterator[Act]:
    least, most = _EVERY[what]
    at = random.uniform(0, least)
    number = 0
    while at < seconds and not (what == "split" and number == _MOST_SPLITS):
        plan = _weather(random) if what == "weather" else None
        yield Act(at=at, what=what, host=random.randrange(hosts), plan=plan)
        at += random.uniform(least, most)
        number += 1


def _weather(random: Random) -> Mapping[str, Any]:
    chosen = random.sample(sorted(_WEATHERS), k=random.randint(1, 2))
    rules = [rule for name in chosen for rule in _WEATHERS[name]]
    return {"seed": random.getrandbits(32), "rules": rules}
