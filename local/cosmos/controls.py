"""What is not part of the service: figures, splits and faults, under `/_local/`, without a key."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pydantic import ValidationError

from local.cosmos import metadata
from local.cosmos.calls import SERVICE_UNAVAILABLE, refusal, resource
from local.cosmos.errors import ServiceError, bad_request
from local.cosmos.faults import Faults, Plan
from local.cosmos.wire import response

if TYPE_CHECKING:
    from aiohttp import web

    from local.cosmos.account import Account


def add_controls(router: web.UrlDispatcher, account: Account, faults: Faults) -> None:
    """Add the routes."""

    async def statistics(_: web.Request) -> web.Response:
        return response(metadata.statistics(account), 0)

    async def split(request: web.Request) -> web.Response:
        name, partition = request.query.get("container", ""), request.query.get("partition")
        try:
            return response(metadata.split(account, name, partition), 0)
        except ServiceError as error:
            return response(refusal(error), 0)

    async def tell_faults(_: web.Request) -> web.Response:
        return response(resource(dict(faults.counts)), 0)

    async def plan_faults(request: web.Request) -> web.Response:
        try:
            faults.follow(Plan.model_validate_json(await request.read()))
        except ValidationError as error:
            detail = error.errors(include_url=False)[0]
            place = ".".join(map(str, detail["loc"])) or "plan"
            return response(refusal(bad_request(f"{place}: {detail['msg']}")), 0)
        return response(resource(dict(faults.counts)), 0)

    router.add_get("/_local/health", partial(_health, account))
    router.add_get("/_local/statistics", statistics)
    router.add_post("/_local/split", split)
    router.add_get("/_local/faults", tell_faults)
    router.add_post("/_local/faults", plan_faults)


async def _health(account: Account, _: web.Request) -> web.Response:
    problem = account.storage.problem
    if problem is None:
        return response(resource({"status": "ok"}), 0)
    return response(resource({"status": "degraded", "problem": problem}, SERVICE_UNAVAILABLE), 0)
