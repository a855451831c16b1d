"""Application settings on this machine, and references to them in bindings."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_REFERENCE = re.compile(r"%([^%\s]+)%")


class HostError(Exception):
    """The host cannot run the app; the message says what to change."""


def load_settings(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return `Values` of the folder's local.settings.json, overridden by environment variables.

    Raises:
        HostError: If the file exists and cannot be read.
    """
    path = folder / "local.settings.json"
    values: dict[str, str] = {}
    if path.exists():
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            values = {str(name): str(value) for name, value in content["Values"].items()}
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise HostError(
                f"Cannot read {path}: expected a JSON object with an object `Values` "
                f"({type(error).__name__})."
            ) from None
    return {**values, **environ}


def resolve_references(text: str, settings: Mapping[str, str], referrer: str) -> str:
    """Return a text with each `%NAME%` replaced by that setting.

    Args:
        text: The text.
        settings: The application settings.
        referrer: The binding that contains the text, for messages.

    Raises:
        HostError: If a setting is missing.
    """

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if not settings.get(name):
            raise HostError(
                f"Setting {name} is missing; {referrer} refers to it as %{name}%. Set it."
            )
        return settings[name]

    return _REFERENCE.sub(value, text)


@dataclass(frozen=True, kw_only=True)
class Account:
    """A Cosmos DB account with its key."""

    endpoint: str
    key: str

    @classmethod
    def from_setting(cls, name: str, settings: Mapping[str, str], referrer: str) -> Account:
        """Return the account of a setting that is a connection string.

        Raises:
            HostError: If the setting is missing or malformed.
        """
        pairs = (part.partition("=") for part in settings.get(name, "").split(";"))
        values = {key.strip().lower(): value.strip() for key, _, value in pairs}
        if not values.get("accountendpoint") or not values.get("accountkey"):
            raise HostError(
                f"Setting {name}, which {referrer} needs, must be a connection string "
                "AccountEndpoint=...;AccountKey=...; the local host does not support identities."
            )
        return cls(endpoint=values["accountendpoint"].rstrip("/"), key=values["accountkey"])
