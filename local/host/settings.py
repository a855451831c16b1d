"""Application settings on your machine, and the references to them in bindings."""

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
    """The host cannot run the app; says what to change."""


def load_settings(folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """`Values` of the folder's local.settings.json, overridden by environment variables.

    Raises:
        HostError: The file is there and cannot be read.
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


def resolve(text: str, settings: Mapping[str, str], where: str) -> str:
    """The text with each `%NAME%` replaced by that setting.

    Raises:
        HostError: A setting is missing; names it and the binding that needs it.
    """

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if not settings.get(name):
            raise HostError(f"Setting {name} is missing; {where} refers to it as %{name}%.")
        return settings[name]

    return _REFERENCE.sub(value, text)


@dataclass(frozen=True, kw_only=True)
class Account:
    """A Cosmos DB account by key."""

    endpoint: str
    key: str

    @classmethod
    def of(cls, connection: str, settings: Mapping[str, str], where: str) -> Account:
        """The account of a connection string setting.

        Raises:
            HostError: The setting is missing or malformed.
        """
        text = settings.get(connection, "")
        pairs = (part.partition("=") for part in text.split(";"))
        values = {name.strip().lower(): value.strip() for name, _, value in pairs}
        if not values.get("accountendpoint") or not values.get("accountkey"):
            raise HostError(
                f"Setting {connection}, which {where} needs, must be a connection string "
                "AccountEndpoint=...;AccountKey=...; the local host does not use identities."
            )
        return cls(endpoint=values["accountendpoint"].rstrip("/"), key=values["accountkey"])
