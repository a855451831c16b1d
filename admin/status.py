"""The command `python -m admin status`, which shows the progress of every projection module."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from admin.environment import (
    DEFAULT_SETTINGS_FILE,
    SettingsOption,
    open_application,
    run_command,
)
from admin.findings import findings_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from core.operations.status import StatusReport
    from core.tracking.status import LeaseStatus, ModuleStatus

_STALL_TIMEOUT = timedelta(minutes=1)


def status(
    watch: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--watch", help="Repeated refreshes until Ctrl-C.")
    ] = False,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between refreshes.")] = 2.0,
    as_json: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--json", help="One JSON object for each refresh.")
    ] = False,
    settings: SettingsOption = DEFAULT_SETTINGS_FILE,
) -> None:
    """Show owner, checkpoint and lag of every lease of every projection module."""
    run_command(_status(settings, interval if watch else None, as_json=as_json))


async def _status(path: Path, interval: float | None, *, as_json: bool) -> None:
    view = _JsonView() if as_json else _TableView(Console(), live=interval is not None)
    async with open_application(path) as application:
        with view:
            while True:
                view.update(await application.status.report())
                if interval is None:
                    return
                await asyncio.sleep(interval)


class _JsonView:
    """A view that prints one line for each refresh."""

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, *_: object) -> None:
        """Do nothing."""

    def update(self, report: StatusReport) -> None:
        typer.echo(json.dumps(report.to_dict()))


class _TableView:
    """A view that draws a table, in place of the previous one if it is live."""

    def __init__(self, console: Console, *, live: bool) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if live else None
        self._stall_detector = StallDetector()

    def __enter__(self) -> None:
        """Start the live display."""
        if self._live is not None:
            self._live.start()

    def __exit__(self, *_: object) -> None:
        """Stop the live display."""
        if self._live is not None:
            self._live.stop()

    def update(self, report: StatusReport) -> None:
        now = datetime.now(timezone.utc)
        stalled = self._stall_detector.find_stalled(report.projections, now)
        table = status_table(report.projections, stalled, now)
        shown = Group(table, findings_table(report.findings)) if report.findings else table
        if self._live is None:
            self._console.print(shown)
        else:
            self._live.update(shown, refresh=True)


class StallDetector:
    """Detects leases whose checkpoint does not advance from one refresh to the next."""

    def __init__(self) -> None:
        self._unchanged_since: dict[str, tuple[str | None, datetime]] = {}

    def find_stalled(self, statuses: Sequence[ModuleStatus], now: datetime) -> set[str]:
        """Return the ids of leases with an owner and lag that have not advanced for a minute."""
        stalled = set()
        for status in (status for module in statuses for status in module.leases):
            previous = self._unchanged_since.get(status.id)
            if previous is None or previous[0] != status.checkpoint or status.caught_up:
                self._unchanged_since[status.id] = (status.checkpoint, now)
            elif now - previous[1] >= _STALL_TIMEOUT and status.owner:
                stalled.add(status.id)
        return stalled


def status_table(statuses: Sequence[ModuleStatus], stalled: set[str], now: datetime) -> Table:
    """Return a table with a row for each lease and fan-out, and a total for each module."""
    table = Table(box=None, header_style="bold", padding=(0, 1, 0, 0))
    for heading in ("Module", "Lease", "Owner", "State", "Checkpoint"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "State")
    for heading in ("Lag (transactions)", "Lag (seconds)", "Last update"):
        table.add_column(heading, justify="right", overflow="fold")
    for module in statuses:
        for status in module.leases:
            is_stalled = status.id in stalled
            row = _lease_row(status, now, is_stalled=is_stalled)
            table.add_row(module.module, *map(Text, row))
        for fan_out in module.fan_outs:
            progress = f"{fan_out.event_id}: {fan_out.written:,} derived"
            table.add_row(Text(fan_out.projection), "", "", "fan-out in progress", Text(progress))
        table.add_row(*_total_row(module), style="bold")
    return table


def _lease_row(status: LeaseStatus, now: datetime, *, is_stalled: bool) -> tuple[str, ...]:
    return (
        status.lease_token,
        (status.owner or "-")[:8],
        _state(status, is_stalled=is_stalled),
        (status.checkpoint or "none").strip('"')[:20],
        *_lag(status),
        f"{(now - status.updated_at).total_seconds():,.0f} s ago",
    )


def _total_row(module: ModuleStatus) -> tuple[str, ...]:
    if not module.leases:
        return (module.module, "", "", "not started", "", "", "", "")
    state = "caught up" if module.caught_up else "behind"
    if module.partitions_without_lease:
        state = f"{module.partitions_without_lease} partitions without a lease"
    return (module.module, "", "", state, "", *_lag(module), "")


def _state(status: LeaseStatus, *, is_stalled: bool) -> str:
    if status.faults:
        return ", ".join(fault.value for fault in status.faults)
    return "stalled" if is_stalled else status.state.value


def _lag(status: LeaseStatus | ModuleStatus) -> tuple[str, str]:
    if status.lag_transactions is None or status.lag_seconds is None:
        return ("unknown", "unknown")
    return f"{status.lag_transactions:,}", f"{status.lag_seconds:,.0f}"
