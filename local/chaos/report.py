"""The report of a chaos experiment, as a value, as JSON and as a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.harness.metrics import metrics_table, to_camel_dict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console


@dataclass(frozen=True, kw_only=True)
class ChaosReport:
    """The results of an experiment.

    Attributes:
        seed: The random seed.
        seconds: The time from the first command to the last check.
        follows: The number of distinct follows, the poison included.
        derived: The number of stored `WasFollowed` events.
        lost: The number of events that should be stored and are not.
        duplicated: The number of stored events beyond the first of each expected event.
        users_checked: The number of users whose entity was compared.
        users_incorrect: The number of users whose entity differs from the graph.
        poison_planted: The number of events that the first deployment could not project.
        poison_not_parked: The number of these that were not parked.
        unexpectedly_parked: The number of other events that were parked.
        replayed: The number of dead letters that a replay deleted.
        dead_letters_left: The number of dead letters in the end.
        faults: The number of injected faults of each kind.
        disruptions: The number of executed disruptions of each kind.
        calls_cut_off: The number of calls that ran when their host was cut off from them.
        host_starts: The number of times that hosts were started.
        peak_memory: The peak memory of each process in bytes.
    """

    seed: int
    seconds: float
    follows: int
    derived: int
    lost: int
    duplicated: int
    users_checked: int
    users_incorrect: int
    poison_planted: int
    poison_not_parked: int
    unexpectedly_parked: int
    replayed: int
    dead_letters_left: int
    faults: Mapping[str, int]
    disruptions: Mapping[str, int]
    calls_cut_off: int
    host_starts: int
    peak_memory: Mapping[str, int]

    @property
    def is_exact(self) -> bool:
        """Whether all is as in the graph, and exactly the poison was parked and replayed."""
        return self.replayed == self.poison_planted and not (
            self.lost
            or self.duplicated
            or self.users_incorrect
            or self.poison_not_parked
            or self.unexpectedly_parked
            or self.dead_letters_left
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        return {**to_camel_dict(self), "exact": self.is_exact}

    def show(self, console: Console) -> None:
        """Print the report as a table and a sentence."""
        console.print(metrics_table(self._rows()))
        console.print(self._sentence())

    def _rows(self) -> list[tuple[str, str]]:
        memory = max(self.peak_memory.values(), default=0) / 1024 / 1024
        return [
            ("Follows", f"{self.follows:,}"),
            ("WasFollowed events, derived", f"{self.derived:,}"),
            ("Users checked", f"{self.users_checked:,}"),
            ("Faults injected", f"{sum(self.faults.values()):,}"),
            ("Hosts killed", f"{self.disruptions.get('kill', 0)} x"),
            ("Hosts cut off", f"{self.disruptions.get('cutOff', 0)} x"),
            ("Calls cut off", f"{self.calls_cut_off:,}"),
            ("Hosts restarted cleanly", f"{self.disruptions.get('restart', 0)} x"),
            ("Cosmos DB killed", f"{self.disruptions.get('crash', 0)} x"),
            ("Partitions split", f"{self.disruptions.get('split', 0)} x"),
            ("Poison events parked", f"{self.poison_planted - self.poison_not_parked:,}"),
            ("Replayed after the fix", f"{self.replayed:,}"),
            ("Peak memory (largest process)", f"{memory:,.0f} MB"),
            ("Total time", f"{self.seconds:,.1f} s"),
        ]

    def _sentence(self) -> str:
        if self.is_exact:
            return "[green]Every user matches the graph: 0 lost, 0 duplicated.[/green]"
        return (
            f"[red]Seed {self.seed}: {self.users_incorrect} users do not match the graph, "
            f"{self.lost} events are lost, {self.duplicated} duplicated; "
            f"{self.poison_not_parked} of {self.poison_planted} poison events were not parked, "
            f"{self.unexpectedly_parked} other events were; "
            f"{self.dead_letters_left} dead letters are left.[/red]"
        )
