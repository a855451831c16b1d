"""What is wrong with the settings and with host.json; pure."""

from __future__ import annotations

import re
from datetime import timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from admin.doctor.findings import error, warning
from core.cosmos.requests import REQUEST_TIMEOUT_SECONDS
from core.settings import CONNECTION_SETTING, Settings
from core.throttling.deadline import GRACE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from admin.doctor.findings import Finding

_OLDEST_BUNDLE = 4
"""The Cosmos DB extension 4.x, whose leases these are, came with the fourth bundle."""

_DEFAULT_TIMEOUT = timedelta(minutes=5)
"""Of the Consumption plan, which has the shortest (Azure Functions: host.json reference)."""

_OF_THE_PLATFORM = re.compile(
    r"(AzureWebJobs|AzureFunctions|FUNCTIONS_|WEBSITE_|SCM_|APPLICATIONINSIGHTS_|APPINSIGHTS_"
    r"|PYTHON_|OTEL_|AZURE_|ENABLE_ORYX|BUILD_|DOCKER_|MSDEPLOY_|DEPLOYMENT_)",
    re.IGNORECASE,
)
_READ_BY_THE_HOST = frozenset({f"{CONNECTION_SETTING}__credential"})
_SPAN = re.compile(r"(?:(\d+)\.)?(\d+):(\d\d):(\d\d)\Z")
_LOWEST = re.compile(r"[\[(]\s*(\d+)")


def check_names(settings: Mapping[str, str]) -> Iterator[Finding]:
    """Settings of the app that nobody reads."""
    known = {str(field.alias) for field in Settings.model_fields.values()} | _READ_BY_THE_HOST
    for name in sorted(settings):
        if name in known or _OF_THE_PLATFORM.match(name):
            continue
        near = get_close_matches(name, known, n=1)
        meant = f"Did you mean {near[0]}? Otherwise remove it." if near else "Remove it."
        yield warning("setting-unread", f"Nobody reads the setting {name}.", meant)


def check_settings(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Settings that do not fit each other."""
    names = [settings.events_container, settings.leases_container, settings.dead_letters_container]
    for name in sorted({each for each in names if names.count(each) > 1}):
        yield error(
            "container-shared",
            f"Container {name} is to hold two of events, leases and dead letters.",
            "Give EventsContainer, LeasesContainer and DeadLettersContainer different names.",
        )
    runtime = environ.get("FUNCTIONS_WORKER_RUNTIME", "python")
    if runtime != "python":
        yield error(
            "runtime",
            f"FUNCTIONS_WORKER_RUNTIME is {runtime!r}.",
            "Set it to python, or remove it.",
        )


def check_host(host: Mapping[str, Any], settings: Settings) -> Iterator[Finding]:
    """A host.json that does not fit the settings."""
    longest = settings.invocation_timeout_seconds + REQUEST_TIMEOUT_SECONDS + GRACE_SECONDS
    timeout = _timeout(host.get("functionTimeout"))
    if timeout is None:
        yield error(
            "timeout-unreadable",
            f"functionTimeout in host.json is {host.get('functionTimeout')!r}.",
            'Write it as "hh:mm:ss", or "-1" for none.',
        )
    elif timeout.total_seconds() <= longest:
        yield error(
            "timeout-short",
            f"An invocation may take {longest:g} s, and the host ends it after "
            f"{timeout.total_seconds():g} s: a batch that takes long would never be finished.",
            "Raise functionTimeout in host.json, or lower InvocationBudgetSeconds.",
        )
    lowest = _LOWEST.match(str((host.get("extensionBundle") or {}).get("version", "")))
    if lowest is None or int(lowest.group(1)) < _OLDEST_BUNDLE:
        yield error(
            "bundle-old",
            "The extension bundle in host.json is missing, or older than version 4.",
            'Set extensionBundle.version to "[4.*, 5.0.0)".',
        )


def _timeout(text: object) -> timedelta | None:
    """None where it cannot be read."""
    if text is None:
        return _DEFAULT_TIMEOUT
    if text == "-1":
        return timedelta.max
    found = _SPAN.match(str(text))
    if found is None:
        return None
    days, hours, minutes, seconds = (int(each or 0) for each in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
