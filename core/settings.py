"""The application's settings: read once, checked, with the missing one named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from core.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECTION = "CosmosConnection"
"""Name of the connection, for the bindings and for the app's own client alike."""


def _pairs(text: object) -> object:
    """`a.b=400; a.c=100` as a mapping."""
    if not isinstance(text, str):
        return text
    parts = (part.partition("=") for part in text.split(";") if part.strip())
    return {name.strip(): value.strip() for name, _, value in parts}


def _client_id(text: object) -> object:
    """The identity of `ClientId=...;Authorization=AAD`, None for the system's."""
    return text.get("ClientId") if isinstance(text := _pairs(text), dict) else text


InsightsIdentity = Annotated[str | None, BeforeValidator(_client_id)]

Ceilings = Annotated[dict[str, Annotated[float, Field(gt=0)]], BeforeValidator(_pairs)]
"""Request units a second by projection."""


class Settings(BaseModel):
    """Application settings by their names in Azure.

    The connection is a connection string in `CosmosConnection`, or identity-based in
    `CosmosConnection__accountEndpoint` with, for a user-assigned identity,
    `CosmosConnection__clientId`: the names that the Functions bindings read as well.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    connection_string: SecretStr | None = Field(default=None, alias="CosmosConnection")
    account_endpoint: str | None = Field(default=None, alias="CosmosConnection__accountEndpoint")
    client_id: str | None = Field(default=None, alias="CosmosConnection__clientId")

    database: str = Field(default="projections", alias="CosmosDatabase", min_length=1)
    events: str = Field(default="events", alias="EventsContainer", min_length=1)
    leases: str = Field(default="leases", alias="LeasesContainer", min_length=1)
    dead_letters: str = Field(default="deadletters", alias="DeadLettersContainer", min_length=1)

    max_items: int = Field(default=500, ge=1, le=10_000, alias="MaxItemsPerInvocation")
    poll_delay: int = Field(default=1_000, ge=1, le=600_000, alias="FeedPollDelayMilliseconds")
    budget: float = Field(default=240.0, gt=0, le=86_400, alias="InvocationBudgetSeconds")
    concurrency: int = Field(default=32, ge=1, le=1_000, alias="WriteConcurrency")
    bulk: bool = Field(default=True, alias="COSMOS_BULK")
    max_hops: int = Field(default=16, ge=1, le=1_000, alias="MaxHops")
    ceilings: Ceilings = Field(default={}, alias="RequestUnitCeilings")

    insights: SecretStr | None = Field(default=None, alias="APPLICATIONINSIGHTS_CONNECTION_STRING")
    insights_identity: InsightsIdentity = Field(
        default=None, alias="APPLICATIONINSIGHTS_AUTHENTICATION_STRING"
    )
    telemetry: Literal["azure", "console", "off"] | None = Field(default=None, alias="Telemetry")
    telemetry_share: float = Field(default=1.0, ge=0, le=1, alias="TelemetryShare")
    site: str = Field(default="event-projections", alias="WEBSITE_SITE_NAME")

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        """The settings in the environment; an empty value counts as absent.

        Raises:
            SettingError: One cannot be read; the error names it and never shows a secret.
        """
        present = {name: value for name, value in environ.items() if value.strip()}
        try:
            return cls.model_validate(present)
        except ValidationError as error:
            detail = error.errors(include_url=False, include_input=False)[0]
            raise SettingError(str(detail["loc"][0]), detail["msg"]) from None

    @property
    def sends_telemetry(self) -> bool:
        """Whether there is somewhere to send it to."""
        if self.telemetry is None:
            return self.insights is not None
        return self.telemetry != "off"

    def require_insights(self) -> str:
        """Connection string of Application Insights.

        Raises:
            SettingError: It is missing.
        """
        if self.insights is None:
            raise SettingError(
                "APPLICATIONINSIGHTS_CONNECTION_STRING", "is missing, and Telemetry says azure."
            )
        return self.insights.get_secret_value()

    def require_connection(self) -> Connection:
        """How to reach the account.

        Raises:
            SettingError: Neither form of the connection is there, or it is malformed.
        """
        if self.connection_string is not None:
            return _parse(self.connection_string.get_secret_value())
        if self.account_endpoint is not None:
            return Connection(endpoint=self.account_endpoint, client_id=self.client_id)
        raise SettingError(
            CONNECTION,
            "is missing. Set it to a connection string of the Cosmos DB account, or set "
            f"{CONNECTION}__accountEndpoint to use the app's identity.",
        )


class Connection(BaseModel):
    """How to reach the Cosmos DB account: by key, or by identity where `key` is None."""

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
            CONNECTION,
            f"has no {' and no '.join(missing)}. It reads AccountEndpoint=https://...;"
            "AccountKey=...; as the portal shows it.",
        )
    return Connection(
        endpoint=values["accountendpoint"],
        key=SecretStr(values["accountkey"]),
        verify_certificate=values.get("disableservercertificatevalidation", "").lower() != "true",
    )
