"""The time of Cosmos DB, for hosts whose clocks are wrong."""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

_TOLERANCE = timedelta(seconds=2)
_RESOLUTION = timedelta(seconds=1)
"""The precision of the header `Date`."""


def host_time() -> datetime:
    """Return the time of the host's clock."""
    return datetime.now(timezone.utc)


class ServiceClock:
    """A clock that differs from that of Cosmos DB by no more than two seconds and a response.

    The host's clock is corrected only if it is further off, so that a wrong one costs seconds of
    order between streams and not years. Inside a stream the order does not depend on it.

    Args:
        host_time: Returns the time of the host's clock.
    """

    def __init__(self, host_time: Callable[[], datetime] = host_time) -> None:
        self.host_time = host_time
        self._correction = timedelta()
        self._latest: tuple[str, datetime | None] = "", None

    def now(self) -> datetime:
        """Return the time."""
        return self.host_time() + self._correction

    def observe(self, date: str, sent_at: datetime) -> None:
        """Correct the clock by the header `Date` of a response, if it is far from it.

        Args:
            date: The header, which is ignored if it is not a date.
            sent_at: The host's time when the request was sent.
        """
        if date != self._latest[0]:
            self._latest = date, None
            with suppress(ValueError):
                self._latest = date, parsedate_to_datetime(date).astimezone(timezone.utc)
        stated = self._latest[1]
        if stated is None:
            return
        received = self.now()
        sent = min(sent_at + self._correction, received)  # it may have been set back meanwhile
        if sent - _TOLERANCE - _RESOLUTION <= stated <= received + _TOLERANCE:
            return
        self._correction += stated + _RESOLUTION / 2 - (sent + (received - sent) / 2)
        logger.warning("clock.corrected seconds=%.1f", self._correction.total_seconds())
