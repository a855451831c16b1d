"""Faults on purpose: rules that say how often which requests go wrong, decided by a seed; pure."""

from __future__ import annotations

from collections import Counter
from enum import Enum
from random import Random
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from local.cosmos.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.cosmos.replicas import ReplicaLag


class Fault(str, Enum):
    """What can go wrong with a request."""

    THROTTLED = "throttled"
    THROTTLED_WITHOUT_HINT = "throttled_without_hint"
    RETRY_WITH = "retry_with"
    TIMEOUT = "timeout"
    GONE = "gone"
    ERROR = "error"
    UNAVAILABLE = "unavailable"
    PARTIAL = "partial"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    SLOW = "slow"
    HANG = "hang"
    OUTAGE = "outage"


_STATUSES: Mapping[Fault, tuple[int, int, str]] = {
    Fault.THROTTLED: (429, 3200, "TooManyRequests"),
    Fault.THROTTLED_WITHOUT_HINT: (429, 3200, "TooManyRequests"),
    Fault.RETRY_WITH: (449, 0, "RetryWith"),
    Fault.TIMEOUT: (408, 0, "RequestTimeout"),
    Fault.GONE: (410, 1002, "Gone"),
    Fault.ERROR: (500, 0, "InternalServerError"),
    Fault.UNAVAILABLE: (503, 0, "ServiceUnavailable"),
}

_PARTIAL = (Fault.THROTTLED, Fault.RETRY_WITH, Fault.TIMEOUT, Fault.ERROR, Fault.UNAVAILABLE)


class Rule(BaseModel):
    """How often a fault strikes.

    Attributes:
        fault: What goes wrong.
        rate: Of the requests, from 0 to 1.
        verbs: Which ones, by the verbs of `routes`; empty for all.
        milliseconds: The hint of a 429, or how long the fault lasts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fault: Fault
    rate: Annotated[float, Field(ge=0, le=1)]
    verbs: frozenset[str] = frozenset()
    milliseconds: Annotated[int, Field(ge=0, le=600_000)] = 100


class Plan(BaseModel):
    """Rules that hold together, and the seed that decides which requests they strike.

    Attributes:
        replica_lag_ms: The replica lag while the plan is in force, None for the configured one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    replica_lag_ms: Annotated[int | None, Field(ge=0, le=600_000, alias="replicaLagMs")] = None
    rules: tuple[Rule, ...] = ()


class Strike:
    """A fault that strikes one request.

    Args:
        rule: By which rule.
        seed: Decides what is left open, such as the operation of a batch that fails.
    """

    def __init__(self, rule: Rule, seed: int) -> None:
        self.fault = rule.fault
        self.milliseconds = rule.milliseconds
        self._seed = seed

    @property
    def refusal(self) -> ServiceError | None:
        """What the whole request is refused with, if that is the fault."""
        return self._error(self.fault)

    def refusal_of(self, operations: int) -> Mapping[int, ServiceError]:
        """Which operations of a batch are refused, by their places."""
        if self.fault is not Fault.PARTIAL:
            return {}
        random = Random(self._seed)  # noqa: S311 - faults are to be repeatable, not secret
        places = random.sample(range(operations), k=random.randint(1, max(operations // 3, 1)))
        errors = {place: self._error(random.choice(_PARTIAL)) for place in places}
        return {place: error for place, error in errors.items() if error is not None}

    def _error(self, fault: Fault) -> ServiceError | None:
        if fault not in _STATUSES:
            return None
        status, sub_status, code = _STATUSES[fault]
        hint = self.milliseconds if fault is Fault.THROTTLED else None
        return ServiceError(
            *(status, code, "Injected."), sub_status=sub_status, charge=0, retry_after_ms=hint
        )


class Faults:
    """The plan in force, and what it did so far.

    Args:
        lag: The replica lag that plans may override.
    """

    def __init__(self, lag: ReplicaLag) -> None:
        self.counts: Counter[str] = Counter()
        self._lag = lag
        self.follow(Plan())

    def follow(self, plan: Plan) -> None:
        """Replace the plan; its decisions begin anew with its seed."""
        self._rules = plan.rules
        lag_ms = plan.replica_lag_ms
        self._lag.override(None if lag_ms is None else lag_ms / 1000)
        self._random = Random(plan.seed)  # noqa: S311 - as above

    def strike(self, verb: str) -> Strike | None:
        """What strikes the next request, if anything does; the first rule that hits wins."""
        for rule in self._rules:
            if (not rule.verbs or verb in rule.verbs) and self._random.random() < rule.rate:
                self.counts[rule.fault.value] += 1
                return Strike(rule, self._random.getrandbits(32))
        return None
