"""The values of host.json that the local host reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from local.host.bindings import parse_duration
from local.host.settings import HostError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_OVERRIDE = "AzureFunctionsJobHost"
"""The prefix of settings that override host.json: `AzureFunctionsJobHost__path__to__value`."""

_BODY_LIMIT, _DEFAULT_BODY_LIMIT = "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", 104_857_600

_DATE_PARSING = ("extensions", "cosmosDB", "serializerSettings", "dateParseHandling")


class HostConfiguration:
    """The values of host.json; its names are not case-sensitive, as in .NET.

    Args:
        content: The content of the file.
        settings: The application settings, which may override single values.

    Attributes:
        route_prefix: The prefix of all routes; `api` by default.
        function_timeout: The maximum seconds of an attempt, or None for no limit; 30 minutes by
            default.
        rewrites_dates: Whether dates in documents are passed on as the extension writes them.
        max_body_bytes: The maximum size of a request body; 100 MB by default.
    """

    def __init__(self, content: Mapping[str, Any], settings: Mapping[str, str]) -> None:
        self._content = content
        self._settings = {name.lower(): value for name, value in settings.items()}
        timeout = str(self._value("functionTimeout") or "00:30:00")
        prefix = self._value("extensions", "http", "routePrefix")
        self.route_prefix = "api" if prefix is None else str(prefix)
        self.function_timeout = None if timeout == "-1" else parse_duration(timeout)
        self.rewrites_dates = self._rewrites_dates()
        limit = self._settings.get(_BODY_LIMIT.lower(), "")
        self.max_body_bytes = int(limit) if limit.isdecimal() else _DEFAULT_BODY_LIMIT

    @classmethod
    def from_folder(cls, folder: Path, settings: Mapping[str, str]) -> HostConfiguration:
        """Return the configuration of a folder's host.json, or the defaults without one.

        Raises:
            HostError: If it is not a JSON object, or has a value that is not supported.
        """
        path = folder / "host.json"
        try:
            content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise HostError(f"{path} is not a JSON object.")
        return cls(content, settings)

    def _rewrites_dates(self) -> bool:
        handling = self._value(*_DATE_PARSING) or "DateTime"
        names = {"none": False, "datetime": True}
        if str(handling).lower() not in names:
            raise HostError(
                f"{'.'.join(_DATE_PARSING)} in host.json is {handling!r}. The local host supports "
                '"None", which passes dates on as they are stored, and "DateTime", the default.'
            )
        return names[str(handling).lower()]

    def _value(self, *path: str) -> object:
        """Return the value at a path, from the settings or else the file, or None."""
        override = self._settings.get("__".join((_OVERRIDE, *path)).lower())
        if override is not None:
            return override
        value: Any = self._content
        for name in path:
            members = value.items() if isinstance(value, dict) else ()
            value = next((inner for key, inner in members if key.lower() == name.lower()), None)
        return value
