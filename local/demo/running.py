"""The demo on an app that is running already, wherever that is: over HTTP alone."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from local.harness.client import ApplicationClient
from local.harness.lag import wait_until_caught_up
from local.harness.metrics import metrics_table
from local.harness.verification import ExpectedState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from local.harness.follows import Follow
    from local.harness.progress import Progress

_CONCURRENCY = 32


@dataclass(frozen=True, kw_only=True)
class App:
    """A running app.

    Attributes:
        url: The root of its functions, without `/api`.
        function_key: The key that the functions require.
    """

    url: str
    function_key: str


@dataclass(frozen=True, kw_only=True)
class RunningReport:
    """What a client of the app can see.

    Attributes:
        follows: The distinct follows of the graph, without self-follows.
        users_checked: The users whose entity was read and compared.
        users_wrong: The users whose entity differs from the graph.
        replay_seconds: The time until the last command was accepted.
        projecting_seconds: The time until all projections had caught up.
    """

    follows: int
    users_checked: int
    users_wrong: int
    replay_seconds: float
    projecting_seconds: float

    @property
    def exact(self) -> bool:
        """Whether every user is as in the graph."""
        return not self.users_wrong

    def as_json(self) -> dict[str, Any]:
        """Return all figures."""
        return asdict(self)

    def show(self, console: Console) -> None:
        """Print the figures for a person."""
        rows = [
            ("Follows in the graph", f"{self.follows:,}"),
            ("Users checked", f"{self.users_checked:,}"),
            ("Commands accepted in", f"{self.replay_seconds:,.1f} s"),
            ("All projected after", f"{self.projecting_seconds:,.1f} s"),
        ]
        console.print(metrics_table(rows))
        if self.exact:
            console.print("[green]Every user is exactly as in the graph.[/green]")
        else:
            console.print(f"[red]Not as in the graph: {self.users_wrong} users wrong.[/red]")


async def play_on(app: App, follows: Sequence[Follow], progress: Progress) -> RunningReport:
    """Send the follows to the app, wait for its projections, and check every user.

    Raises:
        ApplicationError: If the app returns an unexpected response.
    """
    expected = ExpectedState.from_follows(follows)
    async with ApplicationClient([app.url.rstrip("/")], app.function_key, _CONCURRENCY) as client:
        started = time.monotonic()
        with progress.bar("Replaying the follows", len(follows)) as advance:
            await client.follow_all(follows, advance)
        accepted = time.monotonic()
        await wait_until_caught_up(client, progress)
        caught_up = time.monotonic()
        with progress.bar("Checking every user", len(expected.users)) as advance:
            entities = await client.followships(expected.users, advance)
    return RunningReport(
        follows=len(expected.pairs),
        users_checked=len(expected.users),
        users_wrong=sum(not expected.matches(user, entities[user]) for user in expected.users),
        replay_seconds=round(accepted - started, 2),
        projecting_seconds=round(caught_up - started, 2),
    )
