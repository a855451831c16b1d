"""`python -m admin deadletters`: what could not be projected, and what becomes of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from admin.environment import SETTINGS, SettingsOption, open_application, run
from core.dead_letters.dead_letter import count_dead_letters

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from core.dead_letters.dead_letter import DeadLetter
    from core.operations.dead_letters import DeadLetterOperations

JsonOption = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
ProjectionOption = Annotated[
    str | None, typer.Option(help="Of this projection, or of this module.")
]
AllOption = Annotated[bool, typer.Option("--all", help="All of them.")]
LetterArgument = Annotated[str | None, typer.Argument(help="Id of the dead letter.")]

app = typer.Typer(help="Dead letters: list, show, replay, discard.", no_args_is_help=True)


@app.command("list")
def list_letters(
    projection: ProjectionOption = None,
    discarded: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--discarded", help="Those that were discarded.")
    ] = False,
    as_json: JsonOption = False,  # noqa: FBT002 - a flag
    settings: SettingsOption = SETTINGS,
) -> None:
    """List the dead letters, the oldest first, and count them by projection and error."""
    found = run(_find(settings, projection, discarded=discarded))
    if as_json:
        fetch_all = [each.to_document() for each in found]
        summed = [each.as_json() for each in count_dead_letters(found)]
        typer.echo(json.dumps({"counts": summed, "deadLetters": fetch_all}))
        return
    console = Console()
    console.print(letters_table(found))
    for each in count_dead_letters(found):
        console.print(f"{each.count:,} x {each.name}: {each.error_type}, oldest {each.oldest}")
    if not found:
        console.print("No dead letters.")


@app.command()
def show(
    letter: Annotated[str, typer.Argument(help="Id of the dead letter.")],
    as_json: JsonOption = False,  # noqa: FBT002 - a flag
    settings: SettingsOption = SETTINGS,
) -> None:
    """Show all that is known of a dead letter."""
    found = run(_show(settings, letter)).to_document()
    if as_json:
        typer.echo(json.dumps(found))
        return
    for name, value in found.items():
        typer.echo(f"{name:>10}  {value if value is not None else '-'}")


@app.command()
def replay(
    letter: LetterArgument = None,
    projection: ProjectionOption = None,
    everything: AllOption = False,  # noqa: FBT002 - a flag
    as_json: JsonOption = False,  # noqa: FBT002 - a flag
    settings: SettingsOption = SETTINGS,
) -> None:
    """Project the events again with today's code; exit code 1 if one failed again."""

    async def one(operations: DeadLetterOperations, letter_id: str) -> str | None:
        return (await operations.replay(letter_id)).failure

    chosen = _chosen(letter, projection, everything=everything)
    kept = run(_each(settings, chosen, one, "Replaying", quiet=as_json))
    failed = {letter_id: reason for letter_id, reason in kept.items() if reason is not None}
    if as_json:
        typer.echo(json.dumps({"replayed": len(kept) - len(failed), "failed": failed}))
    else:
        typer.echo(f"{len(kept) - len(failed):,} replayed, {len(failed):,} failed again")
        for letter_id, reason in failed.items():
            typer.echo(f"{letter_id}  {reason}")
    if failed:
        raise typer.Exit(1)


@app.command()
def discard(  # noqa: PLR0917 - one parameter for each option
    reason: Annotated[str, typer.Option(help="Why nobody wants them; it is kept.")],
    letter: LetterArgument = None,
    projection: ProjectionOption = None,
    everything: AllOption = False,  # noqa: FBT002 - a flag
    as_json: JsonOption = False,  # noqa: FBT002 - a flag
    settings: SettingsOption = SETTINGS,
) -> None:
    """Give dead letters up; they are kept with the reason, and not listed any more."""

    async def one(operations: DeadLetterOperations, letter_id: str) -> str | None:
        return (await operations.discard(letter_id, reason)).discarded

    chosen = _chosen(letter, projection, everything=everything)
    done = run(_each(settings, chosen, one, "Discarding", quiet=as_json))
    typer.echo(json.dumps({"discarded": len(done)}) if as_json else f"{len(done):,} discarded")


def letters_table(letters: list[DeadLetter]) -> Table:
    """The letters as a table."""
    table = Table(box=None, header_style="bold", padding=(0, 1))
    for heading in ("Id", "Projection", "Stream", "Event", "Error", "First", "Tries"):
        table.add_column(heading, overflow="fold")
    for each in letters:
        table.add_row(
            *(each.id, each.name, str(each.stream_id), str(each.event_id)),
            *(each.error_type, each.first[:19], str(each.attempts)),
        )
    return table


def _chosen(letter: str | None, projection: str | None, *, everything: bool) -> _Choice:
    if (letter is not None) + (projection is not None) + everything != 1:
        raise typer.BadParameter("Name one dead letter, or --projection, or --all.")
    return _Choice(letter, projection)


class _Choice:
    """Which letters are meant: one, those of a projection, or all."""

    def __init__(self, letter: str | None, projection: str | None) -> None:
        self._letter = letter
        self._projection = projection

    async def ids(self, operations: DeadLetterOperations) -> list[str]:
        if self._letter is not None:
            return [self._letter]
        return [each.id for each in await operations.search(self._projection)]


async def _each(
    settings: Path,
    choice: _Choice,
    work: Callable[[DeadLetterOperations, str], Awaitable[str | None]],
    what: str,
    *,
    quiet: bool,
) -> dict[str, str | None]:
    """What came of each letter, with a bar while it happens."""
    results: dict[str, str | None] = {}
    async with open_application(settings) as application:
        operations = application.dead_letters
        ids = await choice.ids(operations)
        with Progress(console=Console(stderr=True), disable=quiet) as progress:
            for letter_id in progress.track(ids, description=what):
                results[letter_id] = await work(operations, letter_id)
    return results


async def _find(settings: Path, name: str | None, *, discarded: bool) -> list[DeadLetter]:
    async with open_application(settings) as application:
        return await application.dead_letters.search(name, discarded=discarded)


async def _show(settings: Path, letter_id: str) -> DeadLetter:
    async with open_application(settings) as application:
        return await application.dead_letters.get(letter_id)
