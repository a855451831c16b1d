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
        commands: The number of acknowledged commands, each counted once.
        repeated: The number of commands that were repeated after they were acknowledged.
        lost_replies: The number of commands whose reply the client did not wait for.
        answers_different: The number of repeated commands with another answer than the first time.
        derived: The number of stored derived events.
        lost: The number of events that should be stored and are not.
        duplicated: The number of stored events beyond the first of each expected event.
        out_of_order: The number of pairs whose events are not in the order of the commands.
        time_wrong: The number of events whose time is malformed or does not grow in its stream.
        positions_wrong: The number of events without the next position of their stream.
        origin_wrong: The number of derived events that differ from their source in time or hops.
        examples: Lines about the first of these.
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
    commands: int
    repeated: int
    lost_replies: int
    answers_different: int
    derived: int
    lost: int
    duplicated: int
    out_of_order: int
    time_wrong: int
    positions_wrong: int
    origin_wrong: int
    examples: tuple[str, ...]
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
            or self.out_of_order
            or self.time_wrong
            or self.positions_wrong
            or self.origin_wrong
            or self.answers_different
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
        for line in self.examples:
            console.print(line, markup=False)

    def _rows(self) -> list[tuple[str, str]]:
        memory = max(self.peak_memory.values(), default=0) / 1024 / 1024
        return [
            ("Commands acknowledged", f"{self.commands:,}"),
            ("Commands repeated", f"{self.repeated:,}"),
            ("Replies that the client lost", f"{self.lost_replies:,}"),
            ("Derived events", f"{self.derived:,}"),
            ("Users checked", f"{self.users_checked:,}"),
            ("Faults injected", f"{sum(self.faults.values()):,}"),
            ("Hosts killed", f"{self.disruptions.get('kill', 0)} x"),
            ("Hosts cut off", f"{self.disruptions.get('cutOff', 0)} x"),
            ("Calls cut off", f"{self.calls_cut_off:,}"),
            ("Hosts restarted cleanly", f"{self.disruptions.get('restart', 0)} x"),
            ("Cosmos DB killed", f"{self.disruptions.get('crash', 0)} x"),
            ("Clocks stepped", f"{self.disruptions.get('clock', 0)} x"),
            ("Partitions split", f"{self.disruptions.get('split', 0)} x"),
            ("Poison events parked", f"{self.poison_planted - self.poison_not_parked:,}"),
            ("Replayed after the fix", f"{self.replayed:,}"),
            ("Peak memory (largest process)", f"{memory:,.0f} MB"),
            ("Total time", f"{self.seconds:,.1f} s"),
        ]

    def _sentence(self) -> str:
        if self.is_exact:
            return (
                "[green]Every user is as the accepted commands say: 0 lost, 0 duplicated, "
                "0 out of order, every position and time right.[/green]"
            )
        return (
            f"[red]Seed {self.seed}: {self.users_incorrect} users are not as the commands say; "
            f"events: {self.lost} lost, {self.duplicated} duplicated, "
            f"{self.positions_wrong} with a wrong position, {self.time_wrong} with a wrong time, "
            f"{self.origin_wrong} that differ from their source; "
            f"{self.out_of_order} pairs are out of order, "
            f"{self.answers_different} repeated commands had another answer; "
            f"{self.poison_not_parked} of {self.poison_planted} poison events were not parked, "
            f"{self.unexpectedly_parked} other events were; "
            f"{self.dead_letters_left} dead letters are left.[/red]"
        )
