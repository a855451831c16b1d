"""The commands `python -m admin deadletters`, which list, show, replay and discard dead letters."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from admin.environment import (
    DEFAULT_SETTINGS_FILE,
    SettingsOption,
    open_application,
    run_command,
)
from core.dead_letters.dead_letter import count_dead_letters
from core.operations.dead_letters import DeadLetterActionResult

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from core.dead_letters.dead_letter import DeadLetter
    from core.operations.dead_letters import DeadLetterOperations

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object instead of text.")]
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

app = typer.Typer(help="List, show, replay and discard dead letters.", no_args_is_help=True)


@app.command("list")
def list_dead_letters(
    module: ModuleOption = None,
    projection: ProjectionOption = None,
    discarded: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--discarded", help="Discarded dead letters instead of the others.")
    ] = False,
    as_json: JsonOption = False,  # noqa: FBT002 - a flag
    settings: SettingsOption = DEFAULT_SETTINGS_FILE,
) -> None:
    """List dead letters, the oldest first, and count them by projection and error."""
    selection = _Selection(module=module, projection=projection)
    dead_letters = run_command(_search(settings, selection, discarded=discarded))
    counts = count_dead_letters(dead_letters)
    if as_json:
        documents = [dead_letter.to_document() for dead_letter in dead_letters]
        summary = [count.to_dict() for count in counts]
        typer.echo(json.dumps({"counts": summary, "deadLetters": documents}))
        return
    console = Console()
    console.print(dead_letters_table(dead_letters))
    for count in counts:
        name = count.projection or count.module
        oldest = count.oldest_failed_at
        console.print(f"{count.count:,} x {name}: {count.error_type}, oldest {oldest}")
    if not dead_letters:
        console.print("No dead letters.")


@app.command()
def show(
    dead_letter_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the dead letter.")],
    as_json: JsonOption = False,  # noqa: FBT002 - a flag
    settings: SettingsOption = DEFAULT_SETTINGS_FILE,
) -> None:
    """Show one dead letter with its error and traceback."""
    document = run_command(_get(settings, dead_letter_id)).to_document()
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
    as_json: JsonOption = False,  # noqa: FBT002 - a flag
    settings: SettingsOption = DEFAULT_SETTINGS_FILE,
) -> None:
    """Project the events of dead letters again with the current code.

    Exit with code 1 if an event failed again.
    """

    async def replay_one(operations: DeadLetterOperations, dead_letter_id: str) -> str | None:
        return (await operations.replay(dead_letter_id)).failure

    selection = _select(dead_letter_id, module, projection, everything=everything)
    results = run_command(_apply(settings, selection, replay_one, "Replaying", quiet=as_json))
    failed = {letter_id: failure for letter_id, failure in results.items() if failure is not None}
    succeeded = len(results) - len(failed)
    if as_json:
        typer.echo(_to_json(succeeded, failed))
    else:
        typer.echo(f"{succeeded:,} replayed, {len(failed):,} failed again")
        for letter_id, failure in failed.items():
            typer.echo(f"{letter_id}  {failure}")
    if failed:
        raise typer.Exit(1)


@app.command()
def discard(  # noqa: PLR0917 - one parameter for each option
    reason: Annotated[
        str, typer.Option(help="Reason for discarding, stored with each dead letter.")
    ],
    dead_letter_id: IdArgument = None,
    module: ModuleOption = None,
    projection: ProjectionOption = None,
    everything: AllOption = False,  # noqa: FBT002 - a flag
    as_json: JsonOption = False,  # noqa: FBT002 - a flag
    settings: SettingsOption = DEFAULT_SETTINGS_FILE,
) -> None:
    """Discard dead letters: keep them with the reason, but hide them from lists."""

    async def discard_one(operations: DeadLetterOperations, dead_letter_id: str) -> None:
        await operations.discard(dead_letter_id, reason)

    selection = _select(dead_letter_id, module, projection, everything=everything)
    results = run_command(_apply(settings, selection, discard_one, "Discarding", quiet=as_json))
    typer.echo(_to_json(len(results), {}) if as_json else f"{len(results):,} discarded")


def dead_letters_table(dead_letters: list[DeadLetter]) -> Table:
    """Return a table with one row for each dead letter."""
    headings = ("Id", "Module", "Projection", "Stream", "Event", "Error")
    table = Table(box=None, header_style="bold", padding=(0, 1))
    for heading in (*headings, "First failure", "Attempts"):
        table.add_column(heading, overflow="fold")
    for dead_letter in dead_letters:
        table.add_row(
            *(dead_letter.id, dead_letter.module, dead_letter.projection or "-"),
            *(str(dead_letter.stream_id), str(dead_letter.event_id), dead_letter.error_type),
            *(dead_letter.first_failed_at[:19], str(dead_letter.attempts)),
        )
    return table


def _to_json(succeeded: int, failed: dict[str, str]) -> str:
    result = DeadLetterActionResult(succeeded=succeeded, failed=failed, remaining=0)
    return json.dumps(result.to_dict())


@dataclass(frozen=True, kw_only=True)
class _Selection:
    """The dead letters that a command applies to; all, unless an attribute restricts them.

    Attributes:
        dead_letter_id: The id of the only one.
        module: Their projection module.
        projection: Their projection.
    """

    dead_letter_id: str | None = None
    module: str | None = None
    projection: str | None = None

    async def search(
        self, operations: DeadLetterOperations, *, discarded: bool = False
    ) -> list[DeadLetter]:
        """Return the dead letters of the module and projection, the oldest first."""
        return [
            dead_letter
            for dead_letter in await operations.search(None, discarded=discarded)
            if self.module in (None, dead_letter.module)
            if self.projection in (None, dead_letter.projection)
        ]

    async def ids(self, operations: DeadLetterOperations) -> list[str]:
        """Return the ids of the selected dead letters."""
        if self.dead_letter_id is not None:
            return [self.dead_letter_id]
        return [dead_letter.id for dead_letter in await self.search(operations)]


def _select(
    dead_letter_id: str | None, module: str | None, projection: str | None, *, everything: bool
) -> _Selection:
    by_name = module is not None or projection is not None
    if (dead_letter_id is not None) + by_name + everything != 1:
        raise typer.BadParameter("Name one dead letter, or use --module, --projection or --all.")
    return _Selection(dead_letter_id=dead_letter_id, module=module, projection=projection)


async def _apply(
    settings: Path,
    selection: _Selection,
    act: Callable[[DeadLetterOperations, str], Awaitable[str | None]],
    description: str,
    *,
    quiet: bool,
) -> dict[str, str | None]:
    """Apply an action to each selected dead letter, and return its failures (or None) by id."""
    results: dict[str, str | None] = {}
    async with open_application(settings) as application:
        operations = application.dead_letters
        ids = await selection.ids(operations)
        with Progress(console=Console(stderr=True), disable=quiet) as progress:
            for dead_letter_id in progress.track(ids, description=description):
                results[dead_letter_id] = await act(operations, dead_letter_id)
    return results


async def _search(settings: Path, selection: _Selection, *, discarded: bool) -> list[DeadLetter]:
    async with open_application(settings) as application:
        return await selection.search(application.dead_letters, discarded=discarded)


async def _get(settings: Path, dead_letter_id: str) -> DeadLetter:
    async with open_application(settings) as application:
        return await application.dead_letters.get(dead_letter_id)
