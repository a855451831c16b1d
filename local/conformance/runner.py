"""Runs the checks one after another, so that none sees the requests of another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError

from local.conformance.checks import Finding, NotCheckableError, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from local.conformance.checks import Check
    from local.conformance.workspace import Workspace

_CHECK_TIMEOUT_SECONDS = 90.0

_FAILURES = (AzureError, asyncio.TimeoutError, LookupError, TypeError, ValueError)
"""What a check raises where the service answers otherwise than the check can read."""


async def run(
    checks: Sequence[Check], workspace: Workspace, advance: Callable[[], None]
) -> list[Finding]:
    """Return what each check found; one that fails does not end the others."""
    findings = []
    for subject in checks:
        findings.append(await _run(subject, workspace))
        advance()
    return findings


async def _run(subject: Check, workspace: Workspace) -> Finding:
    try:
        seen = await asyncio.wait_for(subject.observe(workspace), _CHECK_TIMEOUT_SECONDS)
    except NotCheckableError as reason:
        return _without_verdict(subject, f"not checked: {reason}", ok=None)
    except _FAILURES as error:
        text = str(error).splitlines()[0] if str(error) else ""
        return _without_verdict(subject, f"{type(error).__name__}: {text}", ok=False)
    return judge(subject, seen)


def _without_verdict(subject: Check, seen: str, *, ok: bool | None) -> Finding:
    return Finding(name=subject.name, believed=str(subject.believed), seen=seen, ok=ok)
