"""What processes reported of themselves; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.model.documents import DATE_PARSING
from core.operations.finding import error, warning

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from core.operations.finding import Finding


def host_findings(conditions: Mapping[str, int]) -> Iterator[Finding]:
    """Yield a finding for each condition that processes reported in the last minutes."""
    if count := conditions.get("throttled"):
        yield warning(
            "throttled",
            f"Cosmos DB throttled {count:,} requests of the last minutes.",
            "If it remains, raise the account's RU/s, or limit projections with RequestUnitLimits.",
        )
    if count := conditions.get("no-room"):
        yield error(
            "no-room",
            f"Cosmos DB refused {count:,} writes of the last minutes, because a logical partition "
            "has its 20 GB or a shared database its limit.",
            "`python -m admin deadletters list` names the events. Spread them over more streams, "
            "or ask Azure support for a larger limit.",
        )
    if conditions.get("dates-rewritten"):
        yield warning(
            "dates-rewritten",
            "The host rewrites dates, so the events of each batch are read again.",
            f'Set {".".join(DATE_PARSING)} to "None" in host.json, and deploy it.',
        )
