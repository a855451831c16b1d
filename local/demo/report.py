"""The reports of the demo, as values, as JSON and as tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.harness.metrics import metrics_table, to_camel_dict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console


@dataclass(frozen=True, kw_only=True)
class ClientReport:
    """The results that a client of the application can observe.

    Attributes:
        follows: The number of distinct follows, without self-follows.
        users_checked: The number of users whose entity was compared.
        users_incorrect: The number of users whose entity differs from the graph.
        accepted_seconds: The time until the last command was accepted.
        caught_up_seconds: The time until all projections had caught up.
    """

    follows: int
    users_checked: int
    users_incorrect: int
    accepted_seconds: float
    caught_up_seconds: float

    @property
    def is_exact(self) -> bool:
        """Whether every user matches the graph."""
        return not self.users_incorrect

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        return to_camel_dict(self)

    def show(self, console: Console) -> None:
        """Print the report as a table and a sentence."""
        console.print(metrics_table(self._rows()))
        color = "green" if self.is_exact else "red"
        console.print(f"[{color}]{self._sentence()}[/{color}]")

    def _rows(self) -> list[tuple[str, str]]:
        return [
            ("Follows in the graph", f"{self.follows:,}"),
            ("Users checked", f"{self.users_checked:,}"),
            ("Commands accepted in", f"{self.accepted_seconds:,.1f} s"),
            ("Caught up after", f"{self.caught_up_seconds:,.1f} s"),
        ]

    def _sentence(self) -> str:
        if self.is_exact:
            return "Every user matches the graph."
        return f"{self.users_incorrect} users do not match the graph."


@dataclass(frozen=True, kw_only=True)
class DemoReport(ClientReport):
    """The results on a cluster, with what is stored and what it took.

    Attributes:
        followed_events: The number of stored `Followed` events.
        was_followed_events: The number of stored `WasFollowed` events.
        lost: The number of events that should be stored and are not.
        duplicated: The number of stored events beyond the first of each expected event.
        dead_letters: The number of dead letters.
        throttled: The number of requests that Cosmos DB throttled (429).
        request_charge: The request units of all requests.
        seconds: The time from the first command to the last check.
        events_per_second: The number of derived events per second until all had caught up.
        host_starts: The number of times that the host was started.
        peak_memory: The peak memory of each process in bytes.
        checkpoints: The checkpoint of each lease.
    """

    followed_events: int
    was_followed_events: int
    lost: int
    duplicated: int
    dead_letters: int
    throttled: int
    request_charge: float
    seconds: float
    events_per_second: float
    host_starts: int
    peak_memory: Mapping[str, int]
    checkpoints: Mapping[str, str | None]

    @property
    def is_exact(self) -> bool:
        """Whether every user matches the graph, and nothing is lost, duplicated or parked."""
        return not (self.users_incorrect or self.lost or self.duplicated or self.dead_letters)

    def _rows(self) -> list[tuple[str, str]]:
        memory = max(self.peak_memory.values(), default=0) / 1024 / 1024
        follows, *others = super()._rows()
        return [
            follows,
            ("Followed events", f"{self.followed_events:,}"),
            ("WasFollowed events, derived", f"{self.was_followed_events:,}"),
            *others,
            ("Derived events per second", f"{self.events_per_second:,.0f}"),
            ("Request units", f"{self.request_charge:,.0f}"),
            ("Throttled requests (429)", f"{self.throttled:,}"),
            ("Host started", f"{self.host_starts} x"),
            ("Peak memory (largest process)", f"{memory:,.0f} MB"),
            ("Total time", f"{self.seconds:,.1f} s"),
        ]

    def _sentence(self) -> str:
        if self.is_exact:
            return "Every user matches the graph: 0 lost, 0 duplicated."
        return (
            f"{self.users_incorrect} users do not match the graph, {self.lost} events are lost, "
            f"{self.duplicated} duplicated, {self.dead_letters} parked."
        )
