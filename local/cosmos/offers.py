"""Requests for offers, which hold the throughput of databases and containers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from local.cosmos.errors import not_found
from local.cosmos.messages import json_response
from local.cosmos.metadata import list_response
from local.cosmos.throughput import replacement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.cosmos.account import Account
    from local.cosmos.containers import Container, Database
    from local.cosmos.messages import Request, Response
    from local.cosmos.throughput import Throughput


def list_offers(request: Request) -> Response:
    """Answer GET /offers, or a query of them; what has no throughput has no offer."""
    return list_response(
        request, "Offers", [_body(*offer) for offer in _offers(request.account)], ""
    )


def read_offer(request: Request) -> Response:
    """Answer GET /offers/{id}."""
    return json_response(_body(*_offer(request)))


def replace_offer(request: Request) -> Response:
    """Answer PUT /offers/{id}, which gives its database or container another throughput."""
    owner, current = _offer(request)
    throughput = replacement(current, request.json_object(), int(time.time()))
    request.account.replace_throughput(owner, throughput)
    return json_response(_body(owner, throughput))


def _offer(request: Request) -> tuple[Database | Container, Throughput]:
    for owner, throughput in _offers(request.account):
        if owner.offer_rid == request.ids[0]:
            return owner, throughput
    raise not_found(f"Offer {request.ids[0]!r}")


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
