"""Progress of long-running work, shown on a console."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console


class Advance(Protocol):
    """A function that advances a progress bar."""

    def __call__(self, steps: int = 1) -> None:
        """Advance the bar by the given number of steps."""


class Progress:
    """Progress bars and spinners; without a terminal, each is one line."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def bar(self, label: str, total: int) -> Iterator[Advance]:
        """Show a bar for `total` steps; yield the function that advances it."""
        with RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
        ) as progress:
            task = progress.add_task(label, total=total)
            yield lambda steps=1: progress.advance(task, steps)

    @contextmanager
    def spinner(self, label: str) -> Iterator[Callable[[int], None]]:
        """Show a spinner; yield the function that updates the lag beside it."""
        with RichProgress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=self._console,
        ) as progress:
            task = progress.add_task(label, total=None)
            yield lambda lag: progress.update(
                task, description=f"{label}: a lag of {lag:,} transactions"
            )
