"""Progress of long work, for people."""

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
    """Moves a bar."""

    def __call__(self, steps: int = 1) -> None:
        """By so many steps."""


class Progress:
    """Bars and spinners on a console; silent where it is no terminal but for one line each."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def bar(self, what: str, total: int) -> Iterator[Advance]:
        """A bar for `total` steps; yields what advances it."""
        with RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
        ) as progress:
            task = progress.add_task(what, total=total)
            yield lambda steps=1: progress.advance(task, steps)

    @contextmanager
    def spinner(self, what: str) -> Iterator[Callable[[int], None]]:
        """A spinner; yields what shows how many transactions are still to be read."""
        with RichProgress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=self._console,
        ) as progress:
            task = progress.add_task(what, total=None)
            yield lambda behind: progress.update(
                task, description=f"{what}: {behind:,} transactions behind"
            )
