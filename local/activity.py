"""The output of `python -m local run`: one line for each command, batch, lease and dead letter."""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING

from rich.text import Text

from local.host import LEASE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.console import Console

    Fields = Mapping[str, str]
    Line = tuple[str, str]

_FIELD = re.compile(r"(\w+)=(\S+)")
_PROJECTED = "batch.projected"
_LOGGERS = ("local.host", "core")
_STYLES = {
    "command": "cyan",
    "request": "cyan",
    "batch": "green",
    "timer": "magenta",
    "lease": "dim",
    "dead letter": "bold red",
}


def configure_logging(console: Console | None) -> None:
    """Write warnings and errors to standard error, and activity to the console, if there is one."""
    errors = logging.StreamHandler()
    errors.setLevel(logging.WARNING)
    logging.basicConfig(handlers=[errors], format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("azure").setLevel(
        logging.ERROR
    )  # the host's own records repeat these with context
    if console is None:
        return
    activity = ActivityHandler(console)
    errors.addFilter(lambda record: _event(record) not in activity.lines)
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.INFO)
        logging.getLogger(name).addHandler(activity)


class ActivityHandler(logging.Handler):
    """Prints log records of the host and the engine as readable lines.

    Attributes:
        lines: The functions that format the fields of an event, by the event's name.
    """

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._projected: dict[tuple[str, str], Fields] = {}
        self.lines: Mapping[str, Callable[[Fields], Line | None]] = {
            "request.completed": _request_line,
            "batch.delivered": self._batch_line,
            "timer.fired": lambda f: ("timer", f"{f['function']}, {f['duration_ms']} ms"),
            "lease.acquired": lambda f: ("lease", f"{_lease(f)}: acquired"),
            "lease.released": lambda f: ("lease", f"{_lease(f)}: released"),
            "lease.lost": lambda f: ("lease", f"{_lease(f)}: lost"),
            "event.parked": lambda f: ("dead letter", "  ".join(f"{k} {v}" for k, v in f.items())),
        }

    def emit(self, record: logging.LogRecord) -> None:
        """Print the line of a record, if it has one."""
        name, fields = _event(record), dict(_FIELD.findall(record.getMessage()))
        if name == _PROJECTED:
            if lease := LEASE.get(None):
                self._projected[lease] = fields
        elif (to_line := self.lines.get(name)) and (line := to_line(fields)):
            self._print(*line)

    def _batch_line(self, fields: Fields) -> Line:
        """Return the line of a batch, with the number of derived events that the engine logged."""
        projected = self._projected.pop((fields["function"], fields["lease_token"]), {})
        derived = f", {projected['derived']} derived" if "derived" in projected else ""
        events = f"{fields['documents']} {'event' if fields['documents'] == '1' else 'events'}"
        lease = _lease({**fields, "function": projected.get("module", fields["function"])})
        return "batch", f"{lease}: {events}{derived}, {fields['duration_ms']} ms"

    def _print(self, kind: str, text: str) -> None:
        line = Text(time.strftime("%H:%M:%S  "), style="dim")
        line.append(f"{kind:<12}", style=_STYLES[kind]).append(text, style="default not dim")
        self._console.print(line, soft_wrap=True)


def _event(record: logging.LogRecord) -> str:
    return record.getMessage().partition(" ")[0]


def _lease(fields: Fields) -> str:
    return f"{fields['function']}, lease {fields['lease_token']}"


def _request_line(fields: Fields) -> Line | None:
    """Return the line of a request, or None if it only reads."""
    if fields["method"] in {"GET", "HEAD"}:
        return None
    _, is_command, command = fields["path"].rpartition("/commands/")
    kind, subject = ("command", command) if is_command else ("request", fields["path"])
    return kind, f"{subject}: {fields['status']}, {fields['duration_ms']} ms"
