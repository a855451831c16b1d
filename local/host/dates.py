"""Dates as the Cosmos DB extension passes them on.

The extension parses every document with Newtonsoft.Json, which by default converts each string that
looks like a date into a date, and writes it in its own format before the Python worker receives it.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any

_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,7}))?(?:(Z)|([+-])(\d\d):(\d\d))?",
    re.ASCII,
)
_MICROSOFT = re.compile(r"/Date\((-?\d+)([+-]\d\d(?:\d\d)?)?\)/", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_HOST_OFFSET = "+00:00"
"""The offset of the host's time zone, which is UTC in Azure."""


def rewrite_dates(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a JSON value with every string that looks like a date rewritten, names excepted."""
    if isinstance(value, dict):
        return {name: rewrite_dates(member) for name, member in value.items()}
    if isinstance(value, list):
        return [rewrite_dates(member) for member in value]
    return rewrite_date(value) if isinstance(value, str) else value


def rewrite_date(text: str) -> str:
    """Return a date as the extension writes it, and any other text unchanged."""
    try:
        if match := _ISO.fullmatch(text):
            return _rewrite_iso(match)
        if match := _MICROSOFT.fullmatch(text):
            return _rewrite_microsoft(match)
    except (ValueError, OverflowError):  # not an existing day or time
        return text
    return text


def _rewrite_iso(match: re.Match[str]) -> str:
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    fraction, utc, sign, zone_hours, zone_minutes = match.groups()[6:]
    fraction = (fraction or "").rstrip("0")
    is_midnight = hour == 24  # noqa: PLR2004 - ISO 8601 allows it as the end of the day
    if is_midnight and (minute or second or fraction):
        raise ValueError("With hour 24, only 24:00:00 is valid.")
    hour = 0 if is_midnight else hour
    moment = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
    moment += timedelta(days=is_midnight)
    if sign is None:
        return _format(moment, fraction, utc or "")
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    return _format(*_move(moment, fraction, offset if sign == "-" else -offset), _HOST_OFFSET)


def _move(moment: datetime, fraction: str, offset: timedelta) -> tuple[datetime, str]:
    """Return a time moved by an offset, limited to the years 1 to 9999."""
    try:
        return moment + offset, fraction
    except OverflowError:
        if offset < timedelta():
            return datetime.min.replace(tzinfo=timezone.utc), ""
        return datetime.max.replace(tzinfo=timezone.utc), "9999999"


def _rewrite_microsoft(match: re.Match[str]) -> str:
    moment = _EPOCH + timedelta(milliseconds=int(match[1]))
    fraction = f"{moment.microsecond:06}".rstrip("0")
    return _format(moment, fraction, _HOST_OFFSET if match[2] else "Z")


def _format(moment: datetime, fraction: str, zone: str) -> str:
    seconds = moment.isoformat()[:19]
    return f"{seconds}.{fraction}{zone}" if fraction else f"{seconds}{zone}"
