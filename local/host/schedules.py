"""Schedules of timers, which are NCRONTAB expressions in UTC."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import cast

from croniter import croniter

from local.host.settings import HostError

_WORD = r"(\d+|[A-Z]{3})"
_FIELD = re.compile(rf"(\*|{_WORD}(-{_WORD})?)(/\d+)?", re.IGNORECASE | re.ASCII)
_FIELD_COUNTS = (5, 6)


class Schedule:
    """An NCRONTAB expression of five fields, or of six with the seconds first.

    Args:
        expression: The expression, with references to settings resolved.
        referrer: The binding that contains it, for messages.

    Raises:
        HostError: If it is not such an expression.
    """

    def __init__(self, expression: str, referrer: str) -> None:
        self.expression = " ".join(expression.split())
        fields = self.expression.split(" ")
        texts = [text for field in fields for text in field.split(",")]
        if (
            len(fields) not in _FIELD_COUNTS
            or not all(map(_FIELD.fullmatch, texts))
            or not croniter.is_valid(self.expression, second_at_beginning=True, strict=True)
        ):
            raise HostError(
                f"The {referrer} is {expression!r}. The local host supports NCRONTAB expressions "
                "with five or six fields, for example `0 */5 * * * *` for every five minutes."
            )
        self._is_by_second = all(field == "*" for field in fields[1:])

    def after(self, moment: datetime) -> datetime:
        """Return the first occurrence after a time.

        As in NCRONTAB, both day of month and day of week must match.
        """
        times = croniter(self.expression, moment, day_or=False, second_at_beginning=True)
        return cast("datetime", times.get_next(datetime))

    def occurs_within_a_minute(self, moment: datetime) -> bool:
        """Return whether it occurs again within a minute, so that Azure does not monitor it."""
        return self._is_by_second and self.after(self.after(moment)) <= moment + timedelta(
            minutes=1
        )
