"""Preconditions on the ETag of an item (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.cosmos.errors import precondition_failed

if TYPE_CHECKING:
    from local.cosmos.table import Item


@dataclass(frozen=True)
class Preconditions:
    """Preconditions on the ETag of the stored item.

    A create ignores both, also as part of an upsert. A replace, patch or delete ignores
    `If-None-Match` (RequestOptions of the .NET SDK).
    """

    if_match: str | None = None
    if_none_match: str | None = None

    def check(self, current: Item) -> None:
        """Check the preconditions of a replace, patch or delete.

        Raises:
            ServiceError: 412, if they are not met.
        """
        if self.if_match not in (None, "*", current.etag):
            raise precondition_failed()

    def check_upsert(self, current: Item) -> None:
        """Check the preconditions of an upsert of an item that exists.

        Raises:
            ServiceError: 412, if they are not met.
        """
        self.check(current)
        if self.if_none_match in ("*", current.etag):
            raise precondition_failed()
