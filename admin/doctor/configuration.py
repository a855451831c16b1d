"""Checks of the settings and of host.json, which only compute."""

from __future__ import annotations

import re
from datetime import timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from core.cosmos.requests import REQUEST_TIMEOUT_SECONDS
from core.model.documents import DATE_PARSING
from core.operations.finding import error, warning
from core.settings import CONNECTION_SETTING, Settings
from core.throttling.deadline import GRACE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from core.operations.finding import Finding

_MIN_BUNDLE_VERSION = 4
"""The first extension bundle with version 4.x of the Cosmos DB extension, whose leases are read."""

_DEFAULT_TIMEOUT = timedelta(minutes=5)
"""The default of the Consumption plan, the shortest one (Azure Functions: host.json reference)."""

_PLATFORM_SETTING = re.compile(
    r"(AzureWebJobs|AzureFunctions|FUNCTIONS_|WEBSITE_|SCM_|APPLICATIONINSIGHTS_|APPINSIGHTS_"
    r"|PYTHON_|OTEL_|AZURE_|ENABLE_ORYX|BUILD_|DOCKER_|MSDEPLOY_|DEPLOYMENT_)",
    re.IGNORECASE,
)
_HOST_SETTINGS = frozenset({f"{CONNECTION_SETTING}__credential"})
_TIME_SPAN = re.compile(r"(?:(\d+)\.)?(\d+):(\d\d):(\d\d)\Z")
_MIN_VERSION = re.compile(r"[\[(]\s*(\d+)")


def check_setting_names(settings: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a finding for each setting that neither the application nor the host reads."""
    known = {str(field.alias) for field in Settings.model_fields.values()} | _HOST_SETTINGS
    for name in sorted(settings):
        if name in known or _PLATFORM_SETTING.match(name):
            continue
        similar = get_close_matches(name, known, n=1)
        remedy = f"Did you mean {similar[0]}? Otherwise remove it." if similar else "Remove it."
        yield warning("setting-unknown", f"Unknown setting {name}.", remedy)


def check_settings(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield findings for settings that contradict each other or the application."""
    names = [settings.events_container, settings.leases_container, settings.dead_letters_container]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield error(
            "container-name-duplicate",
            f"Container {name} is set for more than one of events, leases and dead letters.",
            "Give EventsContainer, LeasesContainer and DeadLettersContainer different names.",
        )
    runtime = environ.get("FUNCTIONS_WORKER_RUNTIME", "python")
    if runtime != "python":
        yield error(
            "worker-runtime",
            f"FUNCTIONS_WORKER_RUNTIME is {runtime!r}.",
            "Set it to python, or remove it.",
        )


def check_host(host: Mapping[str, Any], settings: Settings) -> Iterator[Finding]:
    """Yield findings for a host.json that does not fit the settings."""
    longest = settings.invocation_timeout_seconds + REQUEST_TIMEOUT_SECONDS + GRACE_SECONDS
    timeout = _parse_timeout(host.get("functionTimeout"))
    if timeout is None:
        yield error(
            "timeout-invalid",
            f"functionTimeout in host.json is {host.get('functionTimeout')!r}.",
            'Use the format "hh:mm:ss", or "-1" for no timeout.',
        )
    elif timeout.total_seconds() <= longest:
        yield error(
            "timeout-short",
            f"An invocation may take {longest:g} s, but the host terminates it after "
            f"{timeout.total_seconds():g} s: a batch that takes longer is never completed.",
            "Raise functionTimeout in host.json, or lower InvocationTimeoutSeconds.",
        )
    version = _MIN_VERSION.match(str((host.get("extensionBundle") or {}).get("version", "")))
    if version is None or int(version.group(1)) < _MIN_BUNDLE_VERSION:
        yield error(
            "bundle-outdated",
            "The extension bundle in host.json is missing, or older than version 4.",
            'Set extensionBundle.version to "[4.*, 5.0.0)".',
        )


def check_dates(host: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a finding if the host rewrites the dates in events, so that each has to be read."""
    handling: Any = host
    for name in DATE_PARSING:
        handling = handling.get(name) if isinstance(handling, dict) else None
    handling = environ.get("__".join(("AzureFunctionsJobHost", *DATE_PARSING)), handling)
    if handling != "None":
        yield warning(
            "dates-rewritten",
            "The host rewrites the dates in events, so that each event is read before it is "
            f"projected: {'.'.join(DATE_PARSING)} is {handling!r}.",
            'Set it to "None" in host.json.',
        )


def _parse_timeout(text: object) -> timedelta | None:
    """Return the function timeout, or None if the text is invalid."""
    if text is None:
        return _DEFAULT_TIMEOUT
    if text == "-1":
        return timedelta.max
    match = _TIME_SPAN.match(str(text))
    if match is None:
        return None
    days, hours, minutes, seconds = (int(number or 0) for number in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
