"""What the demo found, as a value, as JSON and as a table."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from local.harness.metrics import metrics_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console


@dataclass(frozen=True, kw_only=True)
class Report:
    """What happened.

    Attributes:
        follows: Distinct follows of the graph, self-follows left out.
        followed_events: `Followed` events stored.
        was_followed_events: `WasFollowed` events stored.
        users_checked: Users whose entity was read and compared.
        users_wrong: Users whose entity differs from the graph.
        lost: Events of either type that should be stored and are not.
        duplicated: Events of either type that are stored without need.
        dead_letters: Events parked.
        throttled: 429s that Cosmos DB answered.
        request_charge: Request units that everything cost.
        seconds: From the first command to the last check.
        replay_seconds: From the first command to the last one accepted.
        projecting_seconds: From the first command until all projections had caught up.
        events_per_second: Derived events durable per second of projecting.
        host_starts: How often the host was started; more than once if it was killed.
        peak_memory: Bytes of resident memory at its highest, by process.
        checkpoints: Continuation token of each lease.
    """

    follows: int
    followed_events: int
    was_followed_events: int
    users_checked: int
    users_wrong: int
    lost: int
    duplicated: int
    dead_letters: int
    throttled: int
    request_charge: float
    seconds: float
    replay_seconds: float
    projecting_seconds: float
    events_per_second: float
    host_starts: int
    peak_memory: Mapping[str, int]
    checkpoints: Mapping[str, str | None]

    @property
    def exact(self) -> bool:
        """Whether every user is as in the graph, with nothing lost, doubled or parked."""
        return not (self.users_wrong or self.lost or self.duplicated or self.dead_letters)

    def as_json(self) -> dict[str, Any]:
        """All figures."""
        return asdict(self)

    def show(self, console: Console) -> None:
        """Print the figures for a person."""
        console.print(metrics_table(self._rows()))
        console.print(self._sentence())

    def _rows(self) -> list[tuple[str, str]]:
        memory = max(self.peak_memory.values(), default=0) / 1024 / 1024
        return [
            ("Follows in the graph", f"{self.follows:,}"),
            ("Followed events", f"{self.followed_events:,}"),
            ("WasFollowed events, derived", f"{self.was_followed_events:,}"),
            ("Users checked", f"{self.users_checked:,}"),
            ("Commands accepted in", f"{self.replay_seconds:,.1f} s"),
            ("All projected after", f"{self.projecting_seconds:,.1f} s"),
            ("Derived events per second", f"{self.events_per_second:,.0f}"),
            ("Request units", f"{self.request_charge:,.0f}"),
            ("429s met and waited for", f"{self.throttled:,}"),
            ("Host started", f"{self.host_starts} x"),
            ("Largest process", f"{memory:,.0f} MB"),
            ("Time in all", f"{self.seconds:,.1f} s"),
        ]

    def _sentence(self) -> str:
        if self.exact:
            return "[green]Every user is exactly as in the graph: 0 lost, 0 duplicated.[/green]"
        return (
            f"[red]Not as in the graph: {self.users_wrong} users wrong, {self.lost} lost, "
            f"{self.duplicated} duplicated, {self.dead_letters} parked.[/red]"
        )
