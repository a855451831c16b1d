"""Schedules of timers: NCRONTAB expressions, in UTC; pure."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import cast

from croniter import croniter

from local.host.settings import HostError

_WORD = r"(\d+|[A-Z]{3})"
_FIELD = re.compile(rf"(\*|{_WORD}(-{_WORD})?)(/\d+)?", re.IGNORECASE | re.ASCII)
_LENGTHS = (5, 6)


class Schedule:
    """An NCRONTAB expression of five fields, or of six with the seconds first.

    Args:
        expression: The expression, references to settings resolved.
        where: The binding that has it, for messages.

    Raises:
        HostError: If it is not such an expression.
    """

    def __init__(self, expression: str, where: str) -> None:
        self.expression = " ".join(expression.split())
        fields = self.expression.split(" ")
        texts = [text for field in fields for text in field.split(",")]
        if (
            len(fields) not in _LENGTHS
            or not all(map(_FIELD.fullmatch, texts))
            or not croniter.is_valid(self.expression, second_at_beginning=True, strict=True)
        ):
            raise HostError(
                f"The {where} is {expression!r}; the local host runs NCRONTAB expressions of five "
                "or six fields, for example `0 */5 * * * *` for every five minutes."
            )
        self._is_by_second = all(field == "*" for field in fields[1:])

    def after(self, moment: datetime) -> datetime:
        """Return the first occurrence after a moment.

        Day of month and day of week must both fit, as NCRONTAB has it.
        """
        times = croniter(self.expression, moment, day_or=False, second_at_beginning=True)
        return cast("datetime", times.get_next(datetime))

    def occurs_within_a_minute(self, moment: datetime) -> bool:
        """Return whether the schedule is so frequent that Azure does not monitor it."""
        return self._is_by_second and self.after(self.after(moment)) <= moment + timedelta(
            minutes=1
        )
