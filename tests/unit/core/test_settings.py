from __future__ import annotations

import pytest

from core.cosmos.containers import container_definitions
from core.errors import SettingError
from core.settings import Settings

KEY = "S3CR3T=="
STRING = f"AccountEndpoint=https://a.documents.azure.com:443/;AccountKey={KEY};"


def test_defaults_are_sensible() -> None:
    """Nothing but the connection must be set."""
    settings = Settings.from_environ({})

    assert (settings.database, settings.events_container) == ("projections", "events")
    assert (settings.leases_container, settings.dead_letters_container) == ("leases", "deadletters")


def test_ceilings_are_read_by_projection() -> None:
    """With or without spaces."""
    settings = Settings.from_environ({"RequestUnitLimits": "a.b=400; c.d = 12.5;"})

    assert settings.request_unit_limits == {"a.b": 400.0, "c.d": 12.5}


def test_only_the_exact_names_are_settings() -> None:
    """Other variables of a machine, such as `database`, may have the names of Python's fields."""
    environ = dict.fromkeys(Settings.model_fields, "1")
    environ |= {"CosmosDataBase": "other", "MAXHOPS": "2", "maxHops": "2"}

    assert Settings.from_environ(environ) == Settings()


def test_a_connection_string_is_read() -> None:
    """As the portal shows it."""
    connection = Settings.from_environ({"CosmosConnection": STRING}).require_connection()

    assert connection.endpoint == "https://a.documents.azure.com:443/"
    assert connection.key is not None
    assert connection.key.get_secret_value() == KEY
    assert connection.verify_certificate


def test_an_emulators_certificate_may_go_unverified() -> None:
    """The extension's own word for it is honoured."""
    text = f"{STRING}DisableServerCertificateValidation=True;"

    connection = Settings.from_environ({"CosmosConnection": text}).require_connection()

    assert not connection.verify_certificate


def test_an_identity_based_connection_is_read() -> None:
    """The names are those that the bindings read."""
    environ = {
        "CosmosConnection__accountEndpoint": "https://a/",
        "CosmosConnection__clientId": "me",
    }

    connection = Settings.from_environ(environ).require_connection()

    assert (connection.endpoint, connection.key, connection.client_id) == ("https://a/", None, "me")


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        pytest.param({}, "CosmosConnection: is missing", id="nothing"),
        pytest.param({"CosmosConnection": "  "}, "CosmosConnection: is missing", id="blank"),
        pytest.param({"CosmosConnection": KEY}, "no AccountEndpoint and no AccountKey", id="odd"),
        pytest.param(
            {"CosmosConnection": f"AccountKey={KEY}"}, "no AccountEndpoint", id="no endpoint"
        ),
    ],
)
def test_a_missing_connection_is_named(environ: dict[str, str], message: str) -> None:
    """And the key stays out of the error."""
    with pytest.raises(SettingError, match=message) as caught:
        Settings.from_environ(environ).require_connection()

    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MaxHops", "many"),
        ("WriteConcurrency", "0"),
        ("InvocationTimeoutSeconds", "-1"),
        ("RequestUnitLimits", "followship.followers"),
        ("RequestUnitLimits", "followship.followers=0"),
        ("RequestUnitLimits", "followship.followers=much"),
    ],
)
def test_an_unreadable_setting_is_named(name: str, value: str) -> None:
    """With what was expected."""
    with pytest.raises(SettingError, match=name) as caught:
        Settings.from_environ({name: value})

    assert caught.value.setting == name


def test_a_key_is_never_shown() -> None:
    """Neither settings nor connection print it."""
    settings = Settings.from_environ({"CosmosConnection": STRING})

    assert KEY not in f"{settings!r}{settings}{settings.require_connection()!r}"


def test_containers_are_those_that_the_trigger_needs() -> None:
    """The lease container's key is its id, its TTL on; events never expire."""
    events, leases, letters = container_definitions(Settings.from_environ({"EventsContainer": "e"}))

    assert (events.name, events.partition_key, events.default_ttl) == ("e", "/streamId", -1)
    assert (leases.partition_key, leases.default_ttl) == ("/id", -1)
    assert letters.partition_key == "/id"


def test_only_what_queries_filter_by_is_indexed() -> None:
    """Every other path would cost RU with each write."""
    policy = container_definitions(Settings.from_environ({}))[0].indexing_policy

    assert policy["includedPaths"] == [{"path": "/streamId/?"}]
    assert policy["excludedPaths"] == [{"path": "/*"}]
