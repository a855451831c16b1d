"""The table of the faults for the documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.sabotage.mutation import Mutation


def markdown(mutations: Iterable[Mutation]) -> str:
    """Return the faults with what the changed code does wrong, and where tests notice it."""
    rows = [
        f"| {mutation.name} | {mutation.effect} | {', '.join(_files(mutation))} |"
        for mutation in mutations
    ]
    return "\n".join(
        ["| fault | what the code then does wrong | noticed by |", "|---|---|---|", *rows]
    )


def _files(mutation: Mutation) -> list[str]:
    names = dict.fromkeys(test.partition("::")[0] for test in mutation.tests)
    return [f"[{name.rpartition('/')[2]}]({name})" for name in names]
