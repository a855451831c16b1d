"""Routes of HTTP functions."""

from __future__ import annotations

import pytest

from local.host.bindings import Function, HttpTrigger
from local.host.routing import Router, route_pattern
from local.host.settings import HostError


def trigger(route: str, *methods: str) -> HttpTrigger:
    function = Function(name=route, call=print)
    return HttpTrigger(
        function=function, argument="req", route=route, methods=methods or None, level="anonymous"
    )


@pytest.mark.parametrize(
    ("route", "path", "parameters"),
    [
        ("commands/{command}", "/api/commands/follow", {"command": "follow"}),
        ("commands/{command}", "/API/Commands/Follow/", {"command": "Follow"}),
        ("commands/{command}", "/api/commands/a/b", None),
        ("commands/{command}", "/api/commands/", None),
        ("items/{id:int}", "/api/items/-5", {"id": "-5"}),
        ("items/{id:int}", "/api/items/x", None),
        ("items/{id:guid}", "/api/items/11111111-1111-4111-8111-11111111111F", {"id": ...}),
        ("files/{*rest}", "/api/files/a/b", {"rest": "a/b"}),
        ("files/{*rest}", "/api/files", {"rest": ""}),
        ("pages/{page?}", "/api/pages", {"page": ""}),
        ("pages/{page?}", "/api/pages/2", {"page": "2"}),
        ("{a}-{b}.json", "/api/x-y.json", {"a": "x", "b": "y"}),
        ("a.b", "/api/aXb", None),
        ("/health/", "/api/health", {}),
        ("items/{id}", "/api/items/a%2Fb%25", {"id": "a/b%"}),
    ],
)
def test_routes_match_as_in_azure(
    route: str, path: str, parameters: dict[str, object] | None
) -> None:
    """In any case; parameters keep theirs."""
    matched = Router([trigger(route)], "api").match("GET", path)

    if parameters is None:
        assert matched is None
    else:
        assert matched is not None
        assert matched[1].keys() == parameters.keys()
        assert all(matched[1][name] == text for name, text in parameters.items() if text != ...)


def test_the_first_route_that_takes_the_method_wins() -> None:
    """In the order of their declaration; without methods a function takes all."""
    router = Router([trigger("a/{id}", "GET"), trigger("a/b", "POST"), trigger("{x}/{y}")], "")

    routes = [router.match(method, "/a/b") for method in ("GET", "POST", "PUT")]

    assert [route and route[0].route for route in routes] == ["a/{id}", "a/b", "{x}/{y}"]
    assert router.match("GET", "/a") is None


@pytest.mark.parametrize("route", ["a/{id:long}", "a/{id=5}", "a/{id:int:min(1)}", "a/{id", "a/}"])
def test_routes_of_other_forms_are_rejected(route: str) -> None:
    """They would match wrongly."""
    with pytest.raises(HostError, match="Route"):
        route_pattern("api", route)
