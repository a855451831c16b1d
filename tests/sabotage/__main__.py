"""The command `python -m tests.sabotage`, which puts faults into copies of the code."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.sabotage.mutations import MUTATIONS
from tests.sabotage.runner import BrokenTestsError, Result, check_tests, run_all
from tests.sabotage.tables import markdown


def sabotage(
    only: Annotated[
        list[str] | None, typer.Option(help="Name of a fault; all by default. Repeatable.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Copies that are tested at the same time.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,  # noqa: FBT002 - a flag
    as_markdown: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--markdown", help="The table for CONTRIBUTING.md; run nothing.")
    ] = False,
) -> None:
    """Put each fault into a copy of the repository, and demand that its tests fail."""
    if as_markdown:
        typer.echo(markdown(MUTATIONS))
        return
    unknown = set(only or ()) - {mutation.name for mutation in MUTATIONS}
    if unknown:
        raise typer.BadParameter(f"There is no fault {', '.join(sorted(unknown))}.")
    chosen = [mutation for mutation in MUTATIONS if not only or mutation.name in only]
    try:
        check_tests(chosen)
    except BrokenTestsError as error:
        typer.echo(f"The tests fail without a fault:\n{error}", err=True)
        raise typer.Exit(2) from None
    results = list(run_all(chosen, jobs=jobs))
    if as_json:
        typer.echo(json.dumps([_to_dict(result) for result in results], indent=2))
    else:
        _show(results)
    raise typer.Exit(not all(result.is_noticed for result in results))


def _to_dict(result: Result) -> dict[str, object]:
    return {
        "name": result.mutation.name,
        "effect": result.mutation.effect,
        "outcome": result.outcome,
        "seconds": round(result.seconds, 1),
        "detail": result.detail,
    }


def _show(results: list[Result]) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=160)
    table = Table("fault", "effect", "outcome", "seconds", "failed test")
    for result in results:
        style = "green" if result.is_noticed else "red"
        table.add_row(
            result.mutation.name,
            result.mutation.effect,
            f"[{style}]{result.outcome}[/]",
            f"{result.seconds:.1f}",
            result.detail.partition("::")[2] if result.is_noticed else "",
        )
    console.print(table)
    for result in (result for result in results if not result.is_noticed):
        console.print(f"\n[red]{result.mutation.name}: {result.outcome}[/]")
        console.print(result.detail, markup=False, highlight=False)
    noticed = sum(result.is_noticed for result in results)
    console.print(f"{noticed} of {len(results)} faults are noticed.")


if __name__ == "__main__":
    typer.run(sabotage)
