"""What a play of chaos found, as a value, as JSON and as a table."""

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
        seed: Whence everything that went wrong followed.
        seconds: From the first command to the last check.
        follows: Distinct follows, those of the planted poison included.
        derived: `WasFollowed` events stored in the end.
        lost: Events of either type that should be stored and are not.
        duplicated: Events of either type that are stored without need.
        users_checked: Users whose entity was read and compared.
        users_wrong: Users whose entity differs from the graph.
        poison_planted: Events that could not be projected until the code was mended.
        poison_missed: Of these, not parked.
        parked_wrongly: Events that were parked and are none of these.
        replayed: Dead letters that were gone after the replay.
        kept: Dead letters that were not.
        faults: Faults that struck requests, by kind.
        acts: Kills, hosts cut off, restarts, crashes of the database, splits, changes of the
            weather.
        calls_cut_off: Calls that went on when their host was cut off from them.
        host_starts: How often hosts were started.
        peak_memory: Bytes of resident memory at its highest, by process.
    """

    seed: int
    seconds: float
    follows: int
    derived: int
    lost: int
    duplicated: int
    users_checked: int
    users_wrong: int
    poison_planted: int
    poison_missed: int
    parked_wrongly: int
    replayed: int
    kept: int
    faults: Mapping[str, int]
    acts: Mapping[str, int]
    calls_cut_off: int
    host_starts: int
    peak_memory: Mapping[str, int]

    @property
    def exact(self) -> bool:
        """Whether all is as in the graph, and exactly the poison was parked and replayed."""
        return self.replayed == self.poison_planted and not (
            self.lost
            or self.duplicated
            or self.users_wrong
            or self.poison_missed
            or self.parked_wrongly
            or self.kept
        )

    def as_json(self) -> dict[str, Any]:
        """All figures, and whether they are as they should be."""
        return {**asdict(self), "exact": self.exact}

    def show(self, console: Console) -> None:
        """Print the figures for a person."""
        console.print(metrics_table(self._rows()))
        console.print(self._sentence())

    def _rows(self) -> list[tuple[str, str]]:
        memory = max(self.peak_memory.values(), default=0) / 1024 / 1024
        return [
            ("Follows", f"{self.follows:,}"),
            ("WasFollowed events, derived", f"{self.derived:,}"),
            ("Users checked", f"{self.users_checked:,}"),
            ("Faults injected", f"{sum(self.faults.values()):,}"),
            ("Hosts killed", f"{self.acts.get('kill', 0)} x"),
            ("Hosts cut off", f"{self.acts.get('cut_off', 0)} x"),
            ("Calls that went on then", f"{self.calls_cut_off}"),
            ("Hosts restarted cleanly", f"{self.acts.get('restart', 0)} x"),
            ("Cosmos DB killed", f"{self.acts.get('crash', 0)} x"),
            ("Partitions split", f"{self.acts.get('split', 0)} x"),
            ("Poison planted, parked", f"{self.poison_planted - self.poison_missed}"),
            ("Replayed after the fix", f"{self.replayed}"),
            ("Largest process", f"{memory:,.0f} MB"),
            ("Time in all", f"{self.seconds:,.1f} s"),
        ]

    def _sentence(self) -> str:
        if self.exact:
            return "[green]Every user is exactly as in the graph: 0 lost, 0 duplicated.[/green]"
        return (
            f"[red]Seed {self.seed}: {self.users_wrong} users wrong, {self.lost} lost, "
            f"{self.duplicated} duplicated; of {self.poison_planted} poison events "
            f"{self.poison_missed} were not parked, {self.parked_wrongly} others were; "
            f"{self.kept} dead letters are left.[/red]"
        )
