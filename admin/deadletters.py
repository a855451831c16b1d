"""The commands `python -m admin deadletters`, which list, show, replay and discard dead letters."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Protocol, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from admin.environment import (
    DEFAULT_SETTINGS_FILE,
    SettingsOption,
    open_application,
    run_command,
)
from core.dead_letters.queries import DeadLetterFilter
from core.operations.dead_letters import DeadLetterActionResult, DeadLetterOperations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
    from pathlib import Path

    from core.dead_letters.dead_letter import DeadLetter, DeadLetterSummary

    Action = Callable[[DeadLetterOperations, str | None], Awaitable[DeadLetterActionResult]]

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")]
PagesOption = Annotated[bool, typer.Option("--json", help="One JSON object for each page.")]
ModuleOption = Annotated[
    str | None, typer.Option(help="Projection module; selects its dead letters.")
]
ProjectionOption = Annotated[
    str | None, typer.Option(help="Name of a projection; selects its dead letters.")
]
AllOption = Annotated[bool, typer.Option("--all", help="All dead letters.")]
IdArgument = Annotated[
    str | None, typer.Argument(metavar="ID", help="Id of one dead letter.", show_default=False)
]

_PAGE_SIZE = 50
"""The dead letters between two updates of the progress."""

_INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""

app = typer.Typer(help="List, show, replay and discard dead letters.", no_args_is_help=True)


@app.command("list")
def list_dead_letters(
    module: ModuleOption = None,
    projection: ProjectionOption = None,
    discarded: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--discarded", help="Discarded dead letters instead of the others.")
    ] = False,
    as_json: PagesOption = False,  # noqa: FBT002 - a flag
    settings: SettingsOption = DEFAULT_SETTINGS_FILE,
) -> None:
    """List dead letters page by page, and count them by projection and error."""
    selection = DeadLetterFilter(module=module, projection=projection, discarded=discarded)
    run_command(_list(settings, selection, as_json=as_json))


@app.command()
def show(
    dead_letter_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the dead letter.")],
    as_json: JsonOption = False,  # noqa: FBT002 - a flag
    settings: SettingsOption = DEFAULT_SETTINGS_FILE,
) -> None:
    """Show one dead letter with its error and traceback."""
    document = run_command(_get(settings, dead_letter_id)).to_dict()
    if as_json:
        typer.echo(json.dumps(document))
        return
    width = max(map(len, document))
    for name, value in document.items():
        typer.echo(f"{name:>{width}}  {value if value is not None else '-'}")


@app.command()
def replay(  # noqa: PLR0917 - one parameter for each option
    dead_letter_id: IdArgument = None,
    module: ModuleOption = None,
    projection: ProjectionOption = None,
    everything: AllOption = False,  # noqa: FBT002 - a flag
    as_json: PagesOption = False,  # noqa: FBT002 - a flag
    settings: SettingsOption = DEFAULT_SETTINGS_FILE,
) -> None:
    """Project the events of dead letters again with the current code.

    Exit with code 1 if an event failed again, and with 130 after Ctrl-C: what was replayed is done,
    and the same command continues.
    """
    selection = _select(dead_letter_id, module, projection, everything=everything)

    async def act(operations: DeadLetterOperations, after: str | None) -> DeadLetterActionResult:
        if dead_letter_id is None:
            return await operations.replay_page(selection, after=after, limit=_PAGE_SIZE)
        result = await operations.replay(dead_letter_id)
        failed = {} if result.reason is None else {dead_letter_id: result.reason}
        return DeadLetterActionResult(succeeded=1 - len(failed), failed=failed, next=None)

    totals = _act(settings, act, "Replaying", as_json=as_json)
    if not as_json:
        typer.echo(f"{totals.succeeded:,} replayed, {len(totals.failed):,} failed again")
    totals.exit()


@app.command()
def discard(  # noqa: PLR0917 - one parameter for each option
    reason: Annotated[
        str, typer.Option(help="Reason for discarding, stored with each dead letter.")
    ],
    dead_letter_id: IdArgument = None,
    module: ModuleOption = None,
    projection: ProjectionOption = None,
    everything: AllOption = False,  # noqa: FBT002 - a flag
    as_json: PagesOption = False,  # noqa: FBT002 - a flag
    settings: SettingsOption = DEFAULT_SETTINGS_FILE,
) -> None:
    """Discard dead letters: keep them with the reason, but hide them from lists.

    Exit with code 130 after Ctrl-C: what was discarded is done, and the same command continues.
    """
    selection = _select(dead_letter_id, module, projection, everything=everything)

    async def act(operations: DeadLetterOperations, after: str | None) -> DeadLetterActionResult:
        if dead_letter_id is None:
            return await operations.discard_page(selection, reason, after=after, limit=_PAGE_SIZE)
        await operations.discard(dead_letter_id, reason)
        return DeadLetterActionResult(succeeded=1, failed={}, next=None)

    totals = _act(settings, act, "Discarding", as_json=as_json)
    if not as_json:
        typer.echo(f"{totals.succeeded:,} discarded")
    totals.exit()


def dead_letters_table(dead_letters: Iterable[DeadLetterSummary]) -> Table:
    """Return a table with one row for each dead letter."""
    headings = ("Id", "Module", "Projection", "Stream", "Event", "Error")
    table = Table(box=None, header_style="bold", padding=(0, 1))
    for heading in (*headings, "First failure", "Attempts"):
        table.add_column(heading, overflow="fold")
    for dead_letter in dead_letters:
        error = dead_letter.unreadable or dead_letter.exception_type or dead_letter.error_type
        table.add_row(
            *map(Text, (dead_letter.id, dead_letter.module, dead_letter.projection or "-")),
            *map(Text, (str(dead_letter.stream_id), str(dead_letter.event_id), error)),
            *map(Text, (dead_letter.first_failed_at[:19], str(dead_letter.attempts))),
        )
    return table


def _select(
    dead_letter_id: str | None, module: str | None, projection: str | None, *, everything: bool
) -> DeadLetterFilter:
    by_name = module is not None or projection is not None
    if (dead_letter_id is not None) + by_name + everything != 1:
        raise typer.BadParameter("Name one dead letter, or use --module, --projection or --all.")
    return DeadLetterFilter(module=module, projection=projection)


@dataclass
class _Totals:
    """The counts of an action, over all pages.

    Attributes:
        succeeded: The number of dead letters for which it succeeded.
        failed: The ids of those for which it failed, of which a page that is repeated has some.
        is_complete: Whether there are no more pages.
    """

    succeeded: int = 0
    failed: set[str] = field(default_factory=set)
    is_complete: bool = False

    def __str__(self) -> str:
        """Return the numbers as the progress shows them."""
        return f"{self.succeeded:,} done, {len(self.failed):,} failed"

    def exit(self) -> None:
        """Exit with the code for failures, or for Ctrl-C, if there is a reason to."""
        if not self.is_complete:
            typer.echo("Interrupted. The same command continues.", err=True)
            raise typer.Exit(_INTERRUPTED)
        if self.failed:
            raise typer.Exit(1)


def _act(settings: Path, action: Action, description: str, *, as_json: bool) -> _Totals:
    """Act on page after page, and print what failed, or each result as JSON, as it happens."""
    totals = _Totals()
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    progress = Progress(*columns, console=Console(stderr=True), disable=as_json, transient=True)

    async def act() -> None:
        task = progress.add_task(description)
        async with open_application(settings) as application:
            operations = application.dead_letters
            async for result in _pages(lambda after: action(operations, after)):
                totals.succeeded += result.succeeded
                totals.failed.update(result.failed)
                totals.is_complete = result.next is None
                progress.update(task, description=f"{description}: {totals}")
                _print(result, as_json=as_json)

    with progress:
        try:
            run_command(act())
        except typer.Exit as interrupted:
            if interrupted.exit_code:
                raise
    return totals


def _print(result: DeadLetterActionResult, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result.to_dict()))
        return
    for dead_letter_id, reason in result.failed.items():
        typer.echo(f"{dead_letter_id}  {reason}")


class _Part(Protocol):
    """A page of a list, or the result for one."""

    @property
    def next(self) -> str | None:
        """The continuation after it, None at the end."""


PartT = TypeVar("PartT", bound=_Part)


async def _pages(read: Callable[[str | None], Awaitable[PartT]]) -> AsyncIterator[PartT]:
    """Yield page after page until the end."""
    after: str | None = None
    while True:
        page = await read(after)
        yield page
        after = page.next
        if after is None:
            return


async def _list(settings: Path, selection: DeadLetterFilter, *, as_json: bool) -> None:
    console = Console()
    counts: Counter[tuple[str, str]] = Counter()
    async with open_application(settings) as application:
        operations = application.dead_letters
        async for page in _pages(lambda after: operations.page(selection, after=after)):
            if as_json:
                typer.echo(json.dumps(page.to_dict()))
                continue
            console.print(dead_letters_table(page.dead_letters))
            counts.update(
                (dead_letter.projection or dead_letter.module, dead_letter.error_type)
                for dead_letter in page.dead_letters
            )
    if as_json:
        return
    for (name, error_type), count in counts.most_common():
        console.print(f"{count:,} x {name}: {error_type}", markup=False, emoji=False)
    if not counts:
        console.print("No dead letters.")


async def _get(settings: Path, dead_letter_id: str) -> DeadLetter:
    async with open_application(settings) as application:
        return await application.dead_letters.get(dead_letter_id)
