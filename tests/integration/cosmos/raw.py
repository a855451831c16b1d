"""Requests as they go over the wire, signed but otherwise as a test wants them."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any
from urllib.parse import quote

import aiohttp

from local.cosmos import WELL_KNOWN_KEY
from local.cosmos.auth import signature

ITEMS = "/dbs/db/colls/items/docs"
A = {"x-ms-documentdb-partitionkey": '["a"]'}
BATCH = {**A, "x-ms-cosmos-is-batch-request": "true", "x-ms-cosmos-batch-atomic": "true"}
BULK = {
    "x-ms-cosmos-is-batch-request": "true",
    "x-ms-cosmos-batch-atomic": "false",
    "x-ms-cosmos-batch-continue-on-error": "true",
    "x-ms-documentdb-partitionkeyrangeid": "0",
}
FEED = {"A-IM": "Incremental feed", "x-ms-documentdb-partitionkeyrangeid": "0"}
QUERY = {
    "content-type": "application/query+json",
    "x-ms-documentdb-query-enablecrosspartition": "true",
}


@dataclass(frozen=True)
class Reply:
    """What came back; `body` is JSON, None where there is none."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def sub_status(self) -> int:
        """The Cosmos sub-status, 0 for none."""
        return int(self.headers.get("x-ms-substatus", 0))


@dataclass(frozen=True)
class Raw:
    """An account at an endpoint, with a container `items` of partition key /pk once prepared."""

    endpoint: str
    session: aiohttp.ClientSession

    async def prepare(self, **definition: Any) -> None:
        """Create database and container."""
        key = {"paths": ["/pk"], "kind": "Hash", "version": 2}
        await self.send("POST", "/dbs", {"id": "db"})
        body = {"id": "items", "partitionKey": key, **definition}
        assert (await self.send("POST", "/dbs/db/colls", body)).status == 201

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        *,
        by_rid: bool = False,
        key: str = WELL_KNOWN_KEY,
    ) -> Reply:
        """A request; `body` may be bytes, to be sent as they are."""
        date = formatdate(usegmt=True)
        sign = signature(base64.b64decode(key), method, path, date, by_rid=by_rid)
        signed = {
            "x-ms-date": date,
            "authorization": quote(f"type=master&ver=1.0&sig={sign}", safe=""),
            **(headers or {}),
        }
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        data = None if body is None else io.BytesIO(content)
        url = self.endpoint.rstrip("/") + quote(path)
        async with self.session.request(method, url, data=data, headers=signed) as response:
            text = await response.text()
            return Reply(response.status, response.headers, json.loads(text or "null"))
