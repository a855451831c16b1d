"""Requests for offers, which hold the throughput of databases and containers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from local.cosmos.calls import resource
from local.cosmos.errors import not_found
from local.cosmos.metadata import listed
from local.cosmos.throughput import replacement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.cosmos.account import Account
    from local.cosmos.calls import Answer, Call
    from local.cosmos.containers import Container, Database
    from local.cosmos.throughput import Throughput


def list_offers(call: Call) -> Answer:
    """Answer GET /offers, or a query of them; what has no throughput has no offer."""
    return listed(call, "Offers", [_body(*offer) for offer in _offers(call.account)], "")


def read_offer(call: Call) -> Answer:
    """Answer GET /offers/{id}."""
    return resource(_body(*_offer(call)))


def replace_offer(call: Call) -> Answer:
    """Answer PUT /offers/{id}, which gives its database or container another throughput."""
    owner, current = _offer(call)
    throughput = replacement(current, call.json_object(), int(time.time()))
    call.account.replace_throughput(owner, throughput)
    return resource(_body(owner, throughput))


def _offer(call: Call) -> tuple[Database | Container, Throughput]:
    for owner, throughput in _offers(call.account):
        if owner.offer_rid == call.ids[0]:
            return owner, throughput
    raise not_found(f"Offer {call.ids[0]!r}")


def _offers(account: Account) -> Iterator[tuple[Database | Container, Throughput]]:
    for database in account.databases.values():
        owners: list[Database | Container] = [database, *database.containers.values()]
        for owner in owners:
            if owner.throughput is not None:
                yield owner, owner.throughput


def _body(owner: Database | Container, throughput: Throughput) -> dict[str, Any]:
    return {
        "id": owner.offer_rid,
        "_rid": owner.offer_rid,
        "_self": f"offers/{owner.offer_rid}/",
        "_etag": f'"{throughput.ts:08x}-{throughput.limit:08x}"',
        "_ts": throughput.ts,
        "offerVersion": "V2",
        "offerType": "Invalid",
        "offerResourceId": owner.rid,
        "resource": owner.link,
        "content": throughput.content,
    }
