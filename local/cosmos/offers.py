"""Requests for offers, which have the throughput of databases and containers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from local.cosmos.errors import not_found
from local.cosmos.messages import json_response
from local.cosmos.metadata import list_response
from local.cosmos.throughput import parse_replacement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.cosmos.account import Account
    from local.cosmos.containers import Container, Database
    from local.cosmos.messages import Request, Response
    from local.cosmos.throughput import Throughput


def list_offers(request: Request) -> Response:
    """List or query offers; what has no throughput has no offer (GET or query /offers)."""
    return list_response(
        request, "Offers", [_body(*offer) for offer in _offers(request.account)], ""
    )


def read_offer(request: Request) -> Response:
    """Return an offer (GET /offers/{id})."""
    return json_response(_body(*_offer(request)))


def replace_offer(request: Request) -> Response:
    """Replace the throughput of a database or container (PUT /offers/{id})."""
    resource, current = _offer(request)
    throughput = parse_replacement(current, request.json_object(), int(time.time()))
    request.account.replace_throughput(resource, throughput)
    return json_response(_body(resource, throughput))


def _offer(request: Request) -> tuple[Database | Container, Throughput]:
    for resource, throughput in _offers(request.account):
        if resource.offer_rid == request.ids[0]:
            return resource, throughput
    raise not_found(f"Offer {request.ids[0]!r}")


def _offers(account: Account) -> Iterator[tuple[Database | Container, Throughput]]:
    for database in account.databases.values():
        resources: list[Database | Container] = [database, *database.containers.values()]
        for resource in resources:
            if resource.throughput is not None:
                yield resource, resource.throughput


def _body(resource: Database | Container, throughput: Throughput) -> dict[str, Any]:
    return {
        "id": resource.offer_rid,
        "_rid": resource.offer_rid,
        "_self": f"offers/{resource.offer_rid}/",
        "_etag": f'"{throughput.ts:08x}-{throughput.limit:08x}"',
        "_ts": throughput.ts,
        "offerVersion": "V2",
        "offerType": "Invalid",
        "offerResourceId": resource.rid,
        "resource": resource.link,
        "content": throughput.content,
    }
