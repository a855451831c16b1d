"""Provisioned throughput, which offers and headers specify (pure)."""

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
    """The throughput of a container or a database, fixed or autoscale.

    Attributes:
        content: The content of the offer.
        ts: The second in which it was set, since 1970; 0 for the default of the server.
    """

    content: Mapping[str, Any]
    ts: int

    @property
    def is_autoscale(self) -> bool:
        """Whether the throughput is autoscale."""
        return _SETTINGS in self.content

    @property
    def limit(self) -> int:
        """The RU/s; for autoscale the maximum."""
        return int(self.content["offerThroughput"])


def parse_fixed(ru_per_second: object, ts: int) -> Throughput:
    """Return the fixed throughput that a client requests.

    Raises:
        ServiceError: 400, if the service does not accept it.
    """
    return fixed_throughput(_checked(ru_per_second, _MIN_FIXED, _FIXED_STEP), ts)


def fixed_throughput(ru_per_second: int, ts: int = 0) -> Throughput:
    """Return a fixed throughput, which need not be one that the service accepts."""
    return Throughput({"offerThroughput": ru_per_second}, ts)


def parse_autoscale(settings: object, ts: int) -> Throughput:
    """Return the autoscale throughput that a client requests; it is always at its maximum.

    Args:
        settings: The settings that the client sent: `maxThroughput` and `autoUpgradePolicy`.
        ts: The second in which it is set, since 1970.

    Raises:
        ServiceError: 400, if the service does not accept them.
    """
    if not isinstance(settings, dict) or "maxThroughput" not in settings:
        raise bad_request("Autoscale settings must be a JSON object with maxThroughput.")
    maximum = _checked(settings["maxThroughput"], _MIN_AUTOSCALE, _AUTOSCALE_STEP)
    return Throughput({"offerThroughput": maximum, _SETTINGS: settings}, ts)


def parse_replacement(current: Throughput, offer: Mapping[str, Any], ts: int) -> Throughput:
    """Return the throughput that a new version of an offer specifies.

    Args:
        current: The present throughput.
        offer: The new version of the offer.
        ts: The second in which it is set, since 1970.

    Raises:
        ServiceError: 400, if the service does not accept it, or if it would change between fixed
            and autoscale.
    """
    content = offer.get("content")
    if not isinstance(content, dict) or (_SETTINGS in content) != current.is_autoscale:
        raise bad_request(
            "An offer needs a content with the same kind of throughput: the embedded Cosmos DB "
            "does not support changes between fixed and autoscale."
        )
    if current.is_autoscale:
        return parse_autoscale(content[_SETTINGS], ts)
    return parse_fixed(content.get("offerThroughput"), ts)


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
