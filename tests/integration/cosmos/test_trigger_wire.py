"""The requests that Microsoft's own trigger was seen to make, sent again.

They are the change feed processor's of Microsoft.Azure.Cosmos 3.64.0 for .NET: start-up on an empty
lease container, two leases acquired, one batch and its checkpoint, renewals, a split, idle polls.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from local.cosmos import CosmosOptions, EmbeddedCosmos
from tests.integration.cosmos.raw import Raw, Reply

Recorded = dict[str, Any]

WIRE = Path(__file__).parents[2] / "fixtures" / "trigger-wire.ndjson"
DATABASE = "/dbs/projections"
EVENTS = f"{DATABASE}/colls/events/docs"
SYSTEM = {"_rid", "_self", "_etag", "_attachments", "_ts", "_lsn"}
KEY = "x-ms-documentdb-partitionkey"
HEADERS = ("etag", "x-ms-item-count", "x-ms-continuation", "x-ms-session-token", "lsn")
TOKEN, PARTITION = "x-ms-session-token", "x-ms-documentdb-partitionkeyrangeid"


def recording() -> list[Recorded]:
    """Return the requests with their answers, bodies as JSON."""
    lines = map(json.loads, WIRE.read_text("utf-8").splitlines())
    return [{**line, "answer": json.loads(line["answer"] or "{}")} for line in lines]


def members(value: object, prefix: str = "") -> set[str]:
    """Return the paths of the members of a body; of a list, those of its first value."""
    if isinstance(value, list):
        return members(value[0], f"{prefix}/0") if value else set()
    if not isinstance(value, dict):
        return set()
    below = (members(item, f"{prefix}/{name}") for name, item in value.items())
    return {f"{prefix}/{name}" for name in value}.union(*below)


@dataclass
class Replay:
    """An account to which the recording is sent, and what stands for what was recorded.

    Attributes:
        rids: The live resource ids by the recorded ones.
        etags: The live ETags by the path of their resource and the recorded ones.
        tokens: The last session token of each container and partition.
        items: The paths of the items that were created so far.
    """

    raw: Raw
    rids: dict[str, str] = field(default_factory=dict)
    etags: dict[tuple[str, str], str] = field(default_factory=dict)
    tokens: dict[tuple[str, str], str] = field(default_factory=dict)
    items: set[str] = field(default_factory=set)

    async def prepare(self, recorded: list[Recorded]) -> None:
        """Create what was there before the trigger came: two containers and one event.

        Another database comes first, so that no resource id is the recorded one.
        """
        for name in ("other", "projections"):
            await self.raw.send("POST", "/dbs", {"id": name})
        for line in recorded:
            if "partitionKey" in line["answer"]:
                own = {name: line["answer"][name] for name in line["answer"] if name[0] != "_"}
                assert (await self.raw.send("POST", f"{DATABASE}/colls", own)).status == 201
            for event in line["answer"].get("Documents", ()):
                own = {name: event[name] for name in event.keys() - SYSTEM}
                key = {KEY: json.dumps([own["streamId"]])}
                assert (await self.raw.send("POST", EVENTS, own, key)).status == 201

    async def send(self, recorded: Recorded) -> Reply:
        """Send a request as a client would that was given the live answers."""
        await self._act_for_others(recorded)
        path, headers = recorded["path"], dict(recorded["headers"])
        for name in headers.keys() & {"if-match", "if-none-match"}:
            headers[name] = self.etags.get((path, headers[name]), headers[name])
        if TOKEN in headers:
            key = path.split("/")[4], headers[TOKEN].partition(":")[0]
            headers[TOKEN] = self.tokens.get(key, headers[TOKEN])
        live = "/".join(self.rids.get(segment, segment) for segment in path.split("/"))
        body = recorded["body"].encode() if recorded["body"] else None
        reply = await self.raw.send(recorded["method"], live, body, headers, by_rid=live != path)
        self._learn(recorded, reply)
        return reply

    async def _act_for_others(self, recorded: Recorded) -> None:
        """Do what another party must have done before: create a lease, split a partition."""
        path, headers = recorded["path"], recorded["headers"]
        if recorded["method"] == "PUT" and path not in self.items:
            created = await self.raw.send(
                *("POST", path.rpartition("/")[0], recorded["body"].encode()),
                {KEY: headers[KEY]},
            )
            assert created.status == 201
            self.items.add(path)
            self.etags[path, headers.get("if-match", "")] = created.headers["etag"]
        if recorded["status"] == 410:
            split = f"{self.raw.endpoint}_local/split?container=projections/events"
            async with self.raw.session.post(f"{split}&partition={headers[PARTITION]}") as answer:
                assert answer.status == 200

    def _learn(self, recorded: Recorded, reply: Reply) -> None:
        path = recorded["path"]
        if reply.status == 201:
            path = f"{path}/{json.loads(recorded['body'])['id']}"
            self.items.add(path)
        if "partitionKey" in recorded["answer"]:
            links = (recorded["answer"]["_self"].split("/"), reply.body["_self"].split("/"))
            self.rids.update(pair for pair in zip(*links, strict=True) if pair[0] != pair[1])
        if "etag" in recorded["answered"]:
            self.etags[path, recorded["answered"]["etag"]] = reply.headers["etag"]
        if TOKEN in reply.headers:
            token = reply.headers[TOKEN]
            self.tokens[path.split("/")[4], token.partition(":")[0]] = token


async def test_the_triggers_requests_are_answered_as_it_needs_them() -> None:
    """Status, members and headers, request by request."""
    recorded = recording()
    async with (
        EmbeddedCosmos(CosmosOptions(port=0, partitions=2)) as cosmos,
        aiohttp.ClientSession() as session,
    ):
        replay = Replay(Raw(cosmos.endpoint, session))
        await replay.prepare(recorded)
        for number, line in enumerate(recorded, 1):
            reply = await replay.send(line)

            where = f"line {number}: {line['method']} {line['path']}"
            assert reply.status == line["status"], where
            assert members(line["answer"]) <= members(reply.body), where
            missing = {name for name in HEADERS if name in line["answered"]} - reply.headers.keys()
            assert not {name.lower() for name in missing}, where
            assert reply.sub_status == int(line["answered"].get("x-ms-substatus", 0)), where

    assert len(recorded) == 49
    assert len(replay.rids) == 3
