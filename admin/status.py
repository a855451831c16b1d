"""`python -m admin status`: how far every projection is, and who works on it."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.table import Table

from admin.environment import SETTINGS, SettingsOption, open_application, run

if TYPE_CHECKING:
    from pathlib import Path

    from core.tracking.tracker import LeaseStatus, ModuleStatus

_STUCK = timedelta(minutes=1)


def status(
    watch: Annotated[bool, typer.Option("--watch", help="Until Ctrl-C.")] = False,  # noqa: FBT002 - a flag
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between looks.")] = 2.0,
    as_json: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--json", help="A JSON object for each look.")
    ] = False,
    settings: SettingsOption = SETTINGS,
) -> None:
    """Show owner, checkpoint and lag of every lease of every projection module."""
    run(_status(settings, interval if watch else None, as_json=as_json))


async def _status(path: Path, interval: float | None, *, as_json: bool) -> None:
    show = _Json() if as_json else _Tables(Console(), live=interval is not None)
    async with open_application(path) as application:
        with show:
            while True:
                show.update(await application.status.module_statuses())
                if interval is None:
                    return
                await asyncio.sleep(interval)


class _Json:
    """A line for each look."""

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, *_: object) -> None:
        """Nothing to put away."""

    def update(self, statuses: list[ModuleStatus]) -> None:
        typer.echo(json.dumps({"projections": [each.as_json() for each in statuses]}))


class _Tables:
    """A table that is drawn anew with each look."""

    def __init__(self, console: Console, *, live: bool) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if live else None
        self._progress = Progress()

    def __enter__(self) -> None:
        """Take the screen, if it is to be redrawn."""
        if self._live is not None:
            self._live.start()

    def __exit__(self, *_: object) -> None:
        """Give the screen back."""
        if self._live is not None:
            self._live.stop()

    def update(self, statuses: list[ModuleStatus]) -> None:
        now = datetime.now(timezone.utc)
        drawn = table(statuses, self._progress.stuck(statuses, now), now)
        if self._live is None:
            self._console.print(drawn)
        else:
            self._live.update(drawn, refresh=True)


class Progress:
    """Remembers since when each checkpoint stands, which one look cannot tell."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[str | None, datetime]] = {}

    def stuck(self, statuses: list[ModuleStatus], now: datetime) -> set[str]:
        """Leases that are behind and have not moved for a minute, though somebody holds them."""
        found = set()
        for each in (lease for module in statuses for lease in module.leases):
            known = self._since.get(each.lease.id)
            if known is None or known[0] != each.lease.checkpoint or each.lag.caught_up:
                self._since[each.lease.id] = (each.lease.checkpoint, now)
            elif now - known[1] >= _STUCK and each.lease.owner:
                found.add(each.lease.id)
        return found


def table(statuses: list[ModuleStatus], stuck: set[str], now: datetime) -> Table:
    """The statuses as a table: a row for each lease, and a total for each module."""
    drawn = Table(box=None, header_style="bold", padding=(0, 1))
    for heading in ("Projection", "Lease", "Owner", "State", "Checkpoint"):
        drawn.add_column(heading, overflow="fold")
    for heading in ("Behind", "Oldest", "Written"):
        drawn.add_column(heading, justify="right")
    for module in statuses:
        for each in module.leases:
            drawn.add_row(module.name, *_row(each, now, stuck=each.lease.id in stuck))
        for fan_out in module.fan_outs:
            where = f"{fan_out.event_id}: {fan_out.position:,} derived"
            drawn.add_row(fan_out.projection, "", "", "fanning out", where)
        drawn.add_row(*_total(module), style="bold")
    return drawn


def _row(status: LeaseStatus, now: datetime, *, stuck: bool) -> tuple[str, ...]:
    lease = status.lease
    return (
        lease.token,
        (lease.owner or "-")[:8],
        "stuck" if stuck else status.state.value,
        (lease.checkpoint or "never").strip('"')[:20],
        f"{status.lag.transactions:,}",
        f"{status.lag.seconds:,.0f} s",
        f"{(now - lease.updated_at).total_seconds():,.0f} s ago",
    )


def _total(module: ModuleStatus) -> tuple[str, ...]:
    if not module.leases:
        return (module.name, "", "", "not started", "", "", "", "")
    word = "caught up" if module.caught_up else "behind"
    if module.partitions_without_lease:
        word = f"{module.partitions_without_lease} partitions without a lease"
    lag = module.lag
    return (module.name, "", "", word, "", f"{lag.transactions:,}", f"{lag.seconds:,.0f} s", "")
