"""What the local host reads of host.json, and of the settings that override it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from local.host.configuration import HostConfiguration
from local.host.settings import HostError

ROOT = Path(__file__).parents[4]
APPS = ("", "examples/followship", "local/chaos/app", "benchmarks/stations", "benchmarks/timed")


def dates(handling: object) -> dict[str, Any]:
    return {"extensions": {"cosmosDB": {"serializerSettings": {"dateParseHandling": handling}}}}


@pytest.mark.parametrize(
    ("content", "rewrites"),
    [
        pytest.param({}, True, id="the extension's default"),
        pytest.param(dates("None"), False, id="opted out"),
        pytest.param(dates("DateTime"), True, id="the default, named"),
        pytest.param(json.loads(json.dumps(dates("none")).lower()), False, id="in any case"),
        pytest.param({"extensions": {"cosmosDB": "odd"}}, True, id="not an object on the way"),
    ],
)
def test_dates_are_rewritten_unless_opted_out(content: dict[str, Any], *, rewrites: bool) -> None:
    """By the extension's own name for it."""
    assert HostConfiguration(content, {}).rewrites_dates is rewrites


def test_a_date_handling_that_is_not_covered_is_named() -> None:
    """As it would be handed over wrongly."""
    with pytest.raises(HostError, match=r"dateParseHandling in host\.json is 'DateTimeOffset'"):
        HostConfiguration(dates("DateTimeOffset"), {})


def test_settings_override_host_json() -> None:
    """By their path, as in Azure."""
    content = {**dates("None"), "functionTimeout": "00:01:00"}
    settings = {
        "AzureFunctionsJobHost__extensions__cosmosDB__serializerSettings__dateParseHandling": (
            "DateTime"
        ),
        "AZUREFUNCTIONSJOBHOST__functionTimeout": "-1",
        "AzureFunctionsJobHost__extensions__http__routePrefix": "",
    }

    configuration = HostConfiguration(content, settings)

    assert configuration.rewrites_dates is True
    assert configuration.function_timeout is None
    assert configuration.route_prefix == ""


def test_a_missing_host_json_leaves_the_defaults(tmp_path: Path) -> None:
    """Half an hour, `api`, and dates rewritten."""
    configuration = HostConfiguration.from_folder(tmp_path, {})

    assert (configuration.function_timeout, configuration.route_prefix) == (1800.0, "api")
    assert configuration.rewrites_dates is True


@pytest.mark.parametrize("text", ["{", "[]", "5"])
def test_an_unreadable_host_json_is_named(tmp_path: Path, text: str) -> None:
    """With its path."""
    (tmp_path / "host.json").write_text(text, encoding="utf-8")

    with pytest.raises(HostError, match=r"host\.json is not a JSON object"):
        HostConfiguration.from_folder(tmp_path, {})


@pytest.mark.parametrize("app", APPS)
def test_every_app_here_opts_out(app: str) -> None:
    """Dates in events are the authors', and must come as they are stored."""
    assert HostConfiguration.from_folder(ROOT / app, {}).rewrites_dates is False
