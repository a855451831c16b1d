"""HTTP functions on the local host."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import azure.functions as func
import pytest

from local.host import FunctionsHost, HostOptions


@pytest.fixture
async def web() -> AsyncIterator[str]:
    """An app with HTTP functions only."""
    function_app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)

    @function_app.route("open", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
    def open_to_all(req: func.HttpRequest) -> str:
        return "open"

    @function_app.route("echo/{name}", methods=["POST"])
    async def echo(req: func.HttpRequest) -> func.HttpResponse:
        text = f"{req.route_params['name']} {req.params.get('q')} {req.get_body().decode()}"
        return func.HttpResponse(text, status_code=202, headers={"x-own": "1"})

    @function_app.route("Any/{name:alpha}/{rest?}")
    def any_method(req: func.HttpRequest) -> str:
        return f"{req.method} {req.route_params['name']} {req.route_params['rest']}"

    @function_app.route("off", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
    def off(req: func.HttpRequest) -> str:
        return "not off"

    @function_app.route("broken", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
    def broken(req: func.HttpRequest) -> str:
        raise ValueError("SECRET")

    options = HostOptions(port=0, function_key="k")
    settings = {"FUNCTIONS_REQUEST_BODY_SIZE_LIMIT": "1000", "AzureWebJobs.off.Disabled": "1"}
    async with FunctionsHost(options, settings, function_app) as running:
        yield f"{running.url}/api"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "body"),
    [
        pytest.param("GET", "open", {}, 200, "open", id="anonymous"),
        pytest.param("POST", "echo/a?q=1", {}, 401, "", id="no key"),
        pytest.param("POST", "echo/a", {"x-functions-key": "x"}, 401, "", id="wrong key"),
        pytest.param("POST", "echo/a?q=1", {"x-functions-key": "k"}, 202, "a 1 hi", id="header"),
        pytest.param("POST", "echo/a?code=k", {}, 202, "a None hi", id="query"),
        pytest.param("GET", "echo/a?code=k", {}, 404, "", id="wrong method"),
        pytest.param("GET", "nowhere", {}, 404, "", id="unknown route"),
        pytest.param("GET", "OPEN", {}, 200, "open", id="a route in another case"),
        pytest.param("GET", "open/", {}, 200, "open", id="a slash at the end"),
        pytest.param("POST", "Echo/Aa?code=k", {}, 202, "Aa None hi", id="a value in its case"),
        pytest.param("PUT", "any/Xy?code=k", {}, 200, "PUT Xy ", id="any method, an option left"),
        pytest.param("PUT", "any/x/y?code=k", {}, 200, "PUT x y", id="an option given"),
        pytest.param("PUT", "any/1?code=k", {}, 404, "", id="against a constraint"),
        pytest.param("GET", "off", {}, 404, "", id="a disabled function"),
        pytest.param("GET", "broken", {}, 500, "", id="an exception tells nothing"),
    ],
)
async def test_routes_methods_and_keys_are_as_in_azure(
    web: str, method: str, path: str, headers: dict[str, str], status: int, body: str
) -> None:
    """Also what a caller sees of an error."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{web}/{path}", headers=headers, data="hi") as response,
    ):
        assert (response.status, await response.text()) == (status, body)


async def test_a_body_over_the_limit_is_an_empty_500(
    web: str, caplog: pytest.LogCaptureFixture
) -> None:
    """As in Azure, where a 413 would be expected; the limit is a setting, 100 MB without it."""
    async with aiohttp.ClientSession() as session:
        url = f"{web}/echo/a?code=k"
        async with session.post(url, data=b"x" * 1000) as fits:
            pass
        async with session.post(url, data=b"x" * 1001) as refused:
            body = await refused.read()

    assert (fits.status, refused.status, body) == (202, 500, b"")
    assert "function.failed function=echo reason=body_too_large max_body_bytes=1000" in caplog.text


async def test_an_exception_is_logged(web: str, caplog: pytest.LogCaptureFixture) -> None:
    """With the function's name and where it was raised; the caller sees an empty 500."""
    async with aiohttp.ClientSession() as session, session.get(f"{web}/broken") as response:
        assert (response.status, await response.read()) == (500, b"")

    (record,) = [record for record in caplog.records if "function=broken" in record.getMessage()]
    assert record.exc_info
