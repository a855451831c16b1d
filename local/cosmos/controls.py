"""Routes under `/_local/`, without a key, for what the service does not have.

They return statistics and health, split physical partitions and inject faults.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pydantic import ValidationError

from local.cosmos import metadata
from local.cosmos.errors import ServiceError, bad_request
from local.cosmos.faults import FaultInjector, FaultPlan
from local.cosmos.messages import SERVICE_UNAVAILABLE, error_response, json_response
from local.cosmos.wire import http_response

if TYPE_CHECKING:
    from aiohttp import web

    from local.cosmos.account import Account


def add_control_routes(
    router: web.UrlDispatcher, account: Account, injector: FaultInjector
) -> None:
    """Add the routes to a router."""

    async def statistics(_: web.Request) -> web.Response:
        return http_response(metadata.statistics(account))

    async def split(request: web.Request) -> web.Response:
        name, partition = request.query.get("container", ""), request.query.get("partition")
        try:
            return http_response(metadata.split_partition(account, name, partition))
        except ServiceError as error:
            return http_response(error_response(error))

    async def count_faults(_: web.Request) -> web.Response:
        return http_response(json_response(dict(injector.counts)))

    async def load_plan(request: web.Request) -> web.Response:
        try:
            injector.load(FaultPlan.model_validate_json(await request.read()))
        except ValidationError as error:
            detail = error.errors(include_url=False)[0]
            field = ".".join(map(str, detail["loc"])) or "plan"
            return http_response(error_response(bad_request(f"{field}: {detail['msg']}")))
        return await count_faults(request)

    router.add_get("/_local/health", partial(_health, account))
    router.add_get("/_local/statistics", statistics)
    router.add_post("/_local/split", split)
    router.add_get("/_local/faults", count_faults)
    router.add_post("/_local/faults", load_plan)


async def _health(account: Account, _: web.Request) -> web.Response:
    problem = account.storage.problem
    if problem is None:
        return http_response(json_response({"status": "ok"}))
    content = {"status": "degraded", "problem": problem}
    return http_response(json_response(content, SERVICE_UNAVAILABLE))
