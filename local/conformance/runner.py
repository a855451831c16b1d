"""The runner of the checks, which runs one at a time so that they do not affect each other."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError

from local.conformance.check import Finding, NotCheckableError, evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from local.conformance.check import Check
    from local.conformance.workspace import Workspace

_CHECK_TIMEOUT_SECONDS = 90.0

_FAILURES = (AzureError, asyncio.TimeoutError, LookupError, TypeError, ValueError)
"""The errors of a check that receives a response it cannot interpret."""


async def run(
    checks: Sequence[Check], workspace: Workspace, advance: Callable[[], None]
) -> list[Finding]:
    """Return the findings of the checks; continue after a check that fails."""
    findings = []
    for subject in checks:
        findings.append(await _run(subject, workspace))
        advance()
    return findings


async def _run(subject: Check, workspace: Workspace) -> Finding:
    try:
        observed = await asyncio.wait_for(subject.observe(workspace), _CHECK_TIMEOUT_SECONDS)
    except NotCheckableError as reason:
        return _finding(subject, f"not checked: {reason}", passed=None)
    except _FAILURES as error:
        text = str(error).splitlines()[0] if str(error) else ""
        return _finding(subject, f"{type(error).__name__}: {text}", passed=False)
    return evaluate(subject, observed)


def _finding(subject: Check, observed: str, *, passed: bool | None) -> Finding:
    expected = str(subject.expected)
    return Finding(name=subject.name, expected=expected, observed=observed, passed=passed)
