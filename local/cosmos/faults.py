"""Injected faults: rules that decide from a random seed which requests fail, and how (pure)."""

from __future__ import annotations

from collections import Counter
from enum import Enum
from random import Random
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from local.cosmos.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.cosmos.replicas import ReplicaLag

_CONFIG = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)


class Fault(str, Enum):
    """The faults that can be injected into a request."""

    THROTTLED = "throttled"
    THROTTLED_WITHOUT_RETRY_AFTER = "throttledWithoutRetryAfter"
    RETRY_WITH = "retryWith"
    TIMEOUT = "timeout"
    GONE = "gone"
    ERROR = "error"
    UNAVAILABLE = "unavailable"
    PARTIAL = "partial"
    RESET_BEFORE = "resetBefore"
    RESET_AFTER = "resetAfter"
    SLOW = "slow"
    HANG = "hang"
    OUTAGE = "outage"


_STATUSES: Mapping[Fault, tuple[int, int, str]] = {
    Fault.THROTTLED: (429, 3200, "TooManyRequests"),
    Fault.THROTTLED_WITHOUT_RETRY_AFTER: (429, 3200, "TooManyRequests"),
    Fault.RETRY_WITH: (449, 0, "RetryWith"),
    Fault.TIMEOUT: (408, 0, "RequestTimeout"),
    Fault.GONE: (410, 1002, "Gone"),
    Fault.ERROR: (500, 0, "InternalServerError"),
    Fault.UNAVAILABLE: (503, 0, "ServiceUnavailable"),
}
"""The status, sub-status and code of each fault that is an error response."""

_PARTIAL = (Fault.THROTTLED, Fault.RETRY_WITH, Fault.TIMEOUT, Fault.ERROR, Fault.UNAVAILABLE)
"""The errors of single operations of a batch."""


class FaultRule(BaseModel):
    """How often a fault is injected.

    Attributes:
        fault: The fault.
        rate: The fraction of requests that get the fault, from 0 to 1.
        operations: The kinds of request that the rule applies to (`routes.request_kind`); empty
            for all.
        duration_ms: The retry-after delay of a 429, or the duration of the fault.
    """

    model_config = _CONFIG

    fault: Fault
    rate: Annotated[float, Field(ge=0, le=1)]
    operations: frozenset[str] = frozenset()
    duration_ms: Annotated[int, Field(ge=0, le=600_000)] = 100


class FaultPlan(BaseModel):
    """The rules that are in force together.

    Attributes:
        seed: The random seed that decides which requests get a fault.
        replica_lag_ms: The replica lag while the plan is in force, None for the configured one.
        rules: The rules; the first one that applies to a request wins.
    """

    model_config = _CONFIG

    seed: int = 0
    replica_lag_ms: Annotated[int | None, Field(ge=0, le=600_000)] = None
    rules: tuple[FaultRule, ...] = ()


class InjectedFault:
    """A fault that is injected into one request.

    Args:
        rule: The rule that applies.
        seed: The random seed for details, such as which operations of a batch fail.
    """

    def __init__(self, rule: FaultRule, seed: int) -> None:
        self.fault = rule.fault
        self.duration_ms = rule.duration_ms
        self._seed = seed

    @property
    def error(self) -> ServiceError | None:
        """The error of the whole request, None if the fault is of another sort."""
        return self._error(self.fault)

    def operation_errors(self, count: int) -> Mapping[int, ServiceError]:
        """Return the errors of a batch with the given number of operations, by their indexes."""
        if self.fault is not Fault.PARTIAL:
            return {}
        random = Random(self._seed)  # noqa: S311 - faults must be repeatable, not secret
        indexes = random.sample(range(count), k=random.randint(1, max(count // 3, 1)))
        errors = {index: self._error(random.choice(_PARTIAL)) for index in indexes}
        return {index: error for index, error in errors.items() if error is not None}

    def _error(self, fault: Fault) -> ServiceError | None:
        if fault not in _STATUSES:
            return None
        status, sub_status, code = _STATUSES[fault]
        return ServiceError(
            *(status, code, "Injected."),
            sub_status=sub_status,
            charge=0,
            retry_after_ms=self.duration_ms if fault is Fault.THROTTLED else None,
        )


class FaultInjector:
    """Decides about the fault of each request by the plan in force, and counts the faults.

    Args:
        lag: The replica lag, which plans may override.
    """

    def __init__(self, lag: ReplicaLag) -> None:
        self.counts: Counter[str] = Counter()
        self._lag = lag
        self.load(FaultPlan())

    def load(self, plan: FaultPlan) -> None:
        """Replace the plan, and restart its decisions from its seed."""
        self._rules = plan.rules
        lag_ms = plan.replica_lag_ms
        self._lag.override(None if lag_ms is None else lag_ms / 1000)
        self._random = Random(plan.seed)  # noqa: S311 - as above

    def next_fault(self, kind: str) -> InjectedFault | None:
        """Return the fault of the next request, None for none.

        Args:
            kind: The kind of request.
        """
        for rule in self._rules:
            is_concerned = not rule.operations or kind in rule.operations
            if is_concerned and self._random.random() < rule.rate:
                self.counts[rule.fault.value] += 1
                return InjectedFault(rule, self._random.getrandbits(32))
        return None
