"""Provisioned throughput: what may be asked for, and what an offer says of it (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.cosmos.errors import bad_request

if TYPE_CHECKING:
    from collections.abc import Mapping

_SETTINGS = "offerAutopilotSettings"
_MAX_RU_PER_SECOND = 1_000_000
_FIXED_STEP, _MIN_FIXED = 100, 400
_AUTOSCALE_STEP, _MIN_AUTOSCALE = 1_000, 1_000


@dataclass(frozen=True)
class Throughput:
    """The throughput of a container or a database, fixed or scaled automatically.

    Attributes:
        content: The content of its offer.
        ts: The second in which it was set, since 1970; 0 for the server's default.
    """

    content: Mapping[str, Any]
    ts: int

    @property
    def is_autoscale(self) -> bool:
        """Whether it is scaled automatically."""
        return _SETTINGS in self.content

    @property
    def limit(self) -> int:
        """The RU/s, of autoscale the maximum."""
        return int(self.content["offerThroughput"])


def fixed(ru_per_second: object, ts: int) -> Throughput:
    """Return a fixed throughput as a client asks for it.

    Raises:
        ServiceError: 400, if it is none that the service takes.
    """
    return default(_checked(ru_per_second, _MIN_FIXED, _FIXED_STEP), ts)


def default(ru_per_second: int, ts: int = 0) -> Throughput:
    """Return a fixed throughput, whatever the service takes."""
    return Throughput({"offerThroughput": ru_per_second}, ts)


def autoscale(settings: object, ts: int) -> Throughput:
    """Return an autoscale throughput; it is always at its maximum.

    Args:
        settings: The settings as clients send them: `maxThroughput`, and `autoUpgradePolicy`.
        ts: The second.

    Raises:
        ServiceError: 400, if they are none that the service takes.
    """
    if not isinstance(settings, dict) or "maxThroughput" not in settings:
        raise bad_request("Autoscale settings must be a JSON object with maxThroughput.")
    maximum = _checked(settings["maxThroughput"], _MIN_AUTOSCALE, _AUTOSCALE_STEP)
    return Throughput({"offerThroughput": maximum, _SETTINGS: settings}, ts)


def replacement(current: Throughput, offer: Mapping[str, Any], ts: int) -> Throughput:
    """Return the throughput that an offer asks for in place of the current one.

    Raises:
        ServiceError: 400, if the service does not take it, or if it is of the other kind.
    """
    content = offer.get("content")
    if not isinstance(content, dict) or (_SETTINGS in content) != current.is_autoscale:
        raise bad_request(
            "An offer needs its content with the kind of throughput that is there: changing "
            "between fixed and autoscale is not covered by the embedded Cosmos DB."
        )
    if current.is_autoscale:
        return autoscale(content[_SETTINGS], ts)
    return fixed(content.get("offerThroughput"), ts)


def _checked(ru_per_second: object, minimum: int, step: int) -> int:
    if type(ru_per_second) is int and ru_per_second < minimum:
        raise bad_request(
            f"Requested throughput {ru_per_second} is less than required minimum throughput "
            f"{minimum}."
        )
    if type(ru_per_second) is not int or ru_per_second > _MAX_RU_PER_SECOND or ru_per_second % step:
        raise bad_request(
            f"The offer should have valid throughput values between {minimum} and "
            f"{_MAX_RU_PER_SECOND} inclusive in increments of {step}, not {ru_per_second!r}."
        )
    return ru_per_second
