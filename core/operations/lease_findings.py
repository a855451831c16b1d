"""What is wrong with the leases of a module; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.operations.finding import error, warning
from core.tracking.leases import EXPIRATION, LeaseFault, LeaseState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime, timedelta

    from core.operations.finding import Finding
    from core.tracking.lease_sets import LeaseSet
    from core.tracking.status import LeaseStatus, ModuleStatus

_MINUTE = 60

_FAULTS = {
    LeaseFault.UNREADABLE: (
        "is not as the trigger stores it: its partition, key range, owner or mode cannot be read."
    ),
    LeaseFault.TIMESTAMP: (
        "has a time that cannot be read, because of which the trigger may acquire no lease at all."
    ),
    LeaseFault.TOKEN: "has a checkpoint that cannot be read.",
    LeaseFault.AHEAD: (
        "has a checkpoint that is newer than its partition: the container was restored or created "
        "again, and what is stored up to that number is never processed."
    ),
    LeaseFault.UNKNOWN: "was not read in time, so its lag is not known.",
}


def begin_again(module: str) -> str:
    """Return the remedy by which a module processes everything once more."""
    return (
        "Stop the application, delete every document of the lease container whose id begins with "
        f"`{module}-`, and start it: the module begins again, and stores the same events again."
    )


def lease_findings(status: ModuleStatus, leases: LeaseSet, now: datetime) -> Iterator[Finding]:
    """Yield what is wrong with the leases of a module that the application has.

    Args:
        status: The leases with their lags.
        leases: All leases of the module together.
        now: The current time.
    """
    for lease in status.leases:
        yield from _lease_faults(status.module, lease)
        yield from _owner(status.module, lease, now)
    yield from _coverage(leases)
    if len(leases.hosts) > 1:
        yield warning(
            "account-names",
            f"Module {leases.module} has leases for each of the account's names "
            f"{', '.join(leases.hosts)}, so its events are processed more than once.",
            "Give all applications the same endpoint, and delete the documents of the lease "
            f"container whose ids begin with `{leases.module}-` and a name that is not used.",
        )
    for leftover in leases.leftovers:
        yield error(
            "lock-left",
            f"Document {leftover} keeps the trigger of module {leases.module} from creating its "
            "leases.",
            "Stop the application, delete this document from the lease container, and start it.",
        )


def foreign_findings(lease_sets: Iterable[LeaseSet], modules: Iterable[str]) -> Iterator[Finding]:
    """Yield a finding for the leases of each module that the application does not have."""
    known = set(modules)
    for leases in lease_sets:
        if leases.module not in known and leases.leases:
            yield warning(
                "module-gone",
                f"There are leases of module {leases.module}, which this application does not "
                "have.",
                "If it was renamed, see docs/reliability.md. If it was removed, delete every "
                f"document of the lease container whose id begins with `{leases.module}-`, and "
                f"`coverage.{leases.module}`.",
            )


def _lease_faults(module: str, lease: LeaseStatus) -> Iterator[Finding]:
    for fault in lease.faults:
        message = f"Lease {module}/{lease.lease_token} {_FAULTS[fault]}"
        if fault is LeaseFault.UNKNOWN:
            remedy = "Look again. If it remains, check the account's RU/s and its availability."
            yield warning(fault.value, message, remedy)
        else:
            yield error(fault.value, message, begin_again(module))


def _owner(module: str, lease: LeaseStatus, now: datetime) -> Iterator[Finding]:
    age = now - lease.updated_at
    if lease.state is LeaseState.ACTIVE and -age > EXPIRATION:
        report = error if lease.lag_transactions else warning
        yield report(
            "lease-time-ahead",
            f"Lease {module}/{lease.lease_token} was renewed {_duration(-age)} in the future, so "
            "that it keeps its owner until then, though that host may be dead.",
            "Set the clock of its owner. If that host does not run any more, set `Owner` of this "
            "lease to null in the lease container: a host that runs takes the lease over.",
        )
    if not lease.lag_transactions or age < EXPIRATION:
        return
    behind = f"it is {lease.lag_transactions:,} transactions behind"
    if lease.state is LeaseState.EXPIRED:
        yield error(
            "owner-dead",
            f"The owner of lease {module}/{lease.lease_token} has not renewed it for "
            f"{_duration(age)}, and {behind}.",
            "Check the hosts and their log: a host that runs takes the lease over.",
        )
    elif lease.state is LeaseState.UNOWNED:
        yield error(
            "nobody",
            f"Lease {module}/{lease.lease_token} has had no owner for {_duration(age)}, and "
            f"{behind}.",
            f"Start the application, or function project_{module} if it is disabled.",
        )


def _coverage(leases: LeaseSet) -> Iterator[Finding]:
    uncovered = leases.uncovered
    if uncovered:
        yield error(
            "uncovered",
            f"{len(uncovered)} of {len(leases.partitions)} physical partitions have no lease of "
            f"module {leases.module}, so their events are not processed.",
            begin_again(leases.module),
        )
    for one, other in leases.covered_twice:
        yield warning(
            "covered-twice",
            f"Leases {leases.module}/{one.token} and {leases.module}/{other.token} cover the same "
            "keys, so their events are processed twice.",
            begin_again(leases.module),
        )


def _duration(age: timedelta) -> str:
    seconds = int(age.total_seconds())
    return f"{seconds} s" if seconds < 2 * _MINUTE else f"{seconds // _MINUTE:,} min"
