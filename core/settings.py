"""The application settings, validated when they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from core.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECTION_SETTING = "CosmosConnection"
"""The name of the connection, for the bindings and for the engine's own client."""


def _pairs(text: object) -> object:
    """Return `a.b=400; a.c=100` as a mapping."""
    if not isinstance(text, str):
        return text
    parts = (part.partition("=") for part in text.split(";") if part.strip())
    return {name.strip(): value.strip() for name, _, value in parts}


def _client_id(text: object) -> object:
    """Return the client id of `ClientId=...;Authorization=AAD`, None for the system's identity."""
    return text.get("ClientId") if isinstance(text := _pairs(text), dict) else text


ClientId = Annotated[str | None, BeforeValidator(_client_id)]

RequestUnitLimits = Annotated[dict[str, Annotated[float, Field(gt=0)]], BeforeValidator(_pairs)]
"""The request units a second by projection."""


class Settings(BaseModel):
    """The application settings, by their names in Azure.

    The connection is a connection string in `CosmosConnection`, or identity-based in
    `CosmosConnection__accountEndpoint` with, for a user-assigned identity,
    `CosmosConnection__clientId`: the names that the Functions bindings read as well.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    connection_string: SecretStr | None = Field(default=None, alias="CosmosConnection")
    account_endpoint: str | None = Field(default=None, alias="CosmosConnection__accountEndpoint")
    client_id: str | None = Field(default=None, alias="CosmosConnection__clientId")

    database: str = Field(default="projections", alias="CosmosDatabase", min_length=1)
    events_container: str = Field(default="events", alias="EventsContainer", min_length=1)
    leases_container: str = Field(default="leases", alias="LeasesContainer", min_length=1)
    dead_letters_container: str = Field(
        default="deadletters", alias="DeadLettersContainer", min_length=1
    )

    max_items_per_invocation: int = Field(
        default=500, ge=1, le=10_000, alias="MaxItemsPerInvocation"
    )
    feed_poll_delay_ms: int = Field(
        default=250, ge=1, le=600_000, alias="FeedPollDelayMilliseconds"
    )
    invocation_timeout_seconds: float = Field(
        default=240.0, gt=0, le=86_400, alias="InvocationTimeoutSeconds"
    )
    write_concurrency: int = Field(default=32, ge=1, le=1_000, alias="WriteConcurrency")
    bulk_writes_enabled: bool = Field(default=True, alias="BulkWritesEnabled")
    max_hops: int = Field(default=16, ge=1, le=1_000, alias="MaxHops")
    request_unit_limits: RequestUnitLimits = Field(default={}, alias="RequestUnitLimits")

    app_insights_connection_string: SecretStr | None = Field(
        default=None, alias="APPLICATIONINSIGHTS_CONNECTION_STRING"
    )
    app_insights_client_id: ClientId = Field(
        default=None, alias="APPLICATIONINSIGHTS_AUTHENTICATION_STRING"
    )
    telemetry_exporter: Literal["azuremonitor", "console", "none"] | None = Field(
        default=None, alias="TelemetryExporter"
    )
    telemetry_sampling_ratio: float = Field(default=1.0, ge=0, le=1, alias="TelemetrySamplingRatio")
    site_name: str = Field(default="event-projections", alias="WEBSITE_SITE_NAME")

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Settings:
        """Return the settings in the environment, where an empty value counts as missing.

        Raises:
            SettingError: If one is invalid; the error names it and never shows its value.
        """
        present = {name: value for name, value in environ.items() if value.strip()}
        try:
            return cls.model_validate(present)
        except ValidationError as error:
            detail = error.errors(include_url=False, include_input=False)[0]
            raise SettingError(str(detail["loc"][0]), detail["msg"]) from None

    @property
    def telemetry_enabled(self) -> bool:
        """Whether telemetry is sent anywhere."""
        if self.telemetry_exporter is None:
            return self.app_insights_connection_string is not None
        return self.telemetry_exporter != "none"

    def require_app_insights(self) -> str:
        """Return the connection string of Application Insights.

        Raises:
            SettingError: If it is missing.
        """
        if self.app_insights_connection_string is None:
            raise SettingError(
                "APPLICATIONINSIGHTS_CONNECTION_STRING",
                "is missing, but TelemetryExporter is azuremonitor.",
            )
        return self.app_insights_connection_string.get_secret_value()

    def require_connection(self) -> Connection:
        """Return the connection to the account.

        Raises:
            SettingError: If the connection is missing or malformed.
        """
        if self.connection_string is not None:
            return _parse(self.connection_string.get_secret_value())
        if self.account_endpoint is not None:
            return Connection(endpoint=self.account_endpoint, client_id=self.client_id)
        raise SettingError(
            CONNECTION_SETTING,
            "is missing. Set it to a connection string of the Cosmos DB account, or set "
            f"{CONNECTION_SETTING}__accountEndpoint to use the app's identity.",
        )


class Connection(BaseModel):
    """The connection to the Cosmos DB account, by key or, if `key` is None, by identity."""

    model_config = ConfigDict(frozen=True)

    endpoint: str
    key: SecretStr | None = None
    client_id: str | None = None
    verify_certificate: bool = True


def _parse(connection_string: str) -> Connection:
    pairs = (part.partition("=") for part in connection_string.split(";") if part.strip())
    values = {name.strip().lower(): value.strip() for name, _, value in pairs}
    missing = [part for part in ("AccountEndpoint", "AccountKey") if not values.get(part.lower())]
    if missing:
        raise SettingError(
            CONNECTION_SETTING,
            f"has no {' and no '.join(missing)}. It reads AccountEndpoint=https://...;"
            "AccountKey=...; as the portal shows it.",
        )
    return Connection(
        endpoint=values["accountendpoint"],
        key=SecretStr(values["accountkey"]),
        verify_certificate=values.get("disableservercertificatevalidation", "").lower() != "true",
    )
