"""The session tokens of this process's reads and writes, stored as in Microsoft's SDKs."""

from __future__ import annotations

_CONTAINER_SEGMENTS = 4
"""The number of segments in the link of a container, `dbs/{db}/colls/{coll}`."""

_ITEMS = "docs"


class SessionTokens:
    """The latest session token of each physical partition, by container."""

    def __init__(self) -> None:
        self._tokens: dict[str, dict[str, tuple[int, str]]] = {}

    def for_path(self, path: str) -> str:
        """Return the tokens to send with a request for items, as a comma-separated list."""
        if _ITEMS not in path.split("/")[_CONTAINER_SEGMENTS:]:
            return ""
        tokens = self._tokens.get(_container_of(path), {})
        return ",".join(token for _, token in tokens.values())

    def record(self, path: str, token: str | None) -> None:
        """Store the token of a response, unless a later one is stored."""
        if not token:
            return
        partition_id, _, versions = token.partition(":")
        lsn = versions.split("#")[1 if "#" in versions else 0]
        if lsn.isdecimal():
            tokens = self._tokens.setdefault(_container_of(path), {})
            tokens[partition_id] = max(tokens.get(partition_id, (-1, "")), (int(lsn), token))

    def discard(self, path: str) -> bool:
        """Remove the tokens of a container, and return whether there were any."""
        return self._tokens.pop(_container_of(path), None) is not None


def _container_of(path: str) -> str:
    return "/".join(path.split("/")[:_CONTAINER_SEGMENTS])
