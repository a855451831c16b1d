"""The triggers that an app declares, read from its functions as the real host reads them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from local.host.schedules import Schedule
from local.host.settings import HostError, resolve_references

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import azure.functions as func

_DEFAULT_POLL_MS = 5000
_DEFAULT_MAX_ITEMS = 100


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """A policy for the retries of a failed invocation.

    Attributes:
        is_exponential: Whether delays grow exponentially instead of being fixed.
        max_retries: The number of retries; -1 for no limit.
        min_delay: The shortest delay in seconds.
        max_delay: The longest delay in seconds.
    """

    is_exponential: bool
    max_retries: int
    min_delay: float
    max_delay: float


@dataclass(frozen=True, kw_only=True)
class Function:
    """A declared function."""

    name: str
    call: Callable[..., Any]
    retry: RetryPolicy | None = None


@dataclass(frozen=True, kw_only=True)
class CosmosTrigger:
    """A function on a change feed; an interval is in seconds, or None if it is not declared."""

    function: Function
    argument: str
    connection: str
    database: str
    container: str
    lease_connection: str
    lease_database: str
    lease_container: str
    lease_prefix: str
    max_items: int
    poll_delay: float
    start_from_beginning: bool
    acquire: float | None
    renew: float | None
    expiration: float | None

    @property
    def lease_link(self) -> str:
        """The link of the lease container."""
        return f"dbs/{self.lease_database}/colls/{self.lease_container}"


@dataclass(frozen=True, kw_only=True)
class HttpTrigger:
    """A function on a route.

    Attributes:
        function: The function.
        argument: The name of its parameter for the request.
        route: The route, without the host's prefix.
        methods: The HTTP methods, or None for all.
        level: The authorization level: anonymous, function or admin.
    """

    function: Function
    argument: str
    route: str
    methods: tuple[str, ...] | None
    level: str


@dataclass(frozen=True, kw_only=True)
class TimerTrigger:
    """A function on a schedule."""

    function: Function
    argument: str
    schedule: Schedule
    run_on_startup: bool
    use_monitor: bool


Trigger = CosmosTrigger | HttpTrigger | TimerTrigger


def find_triggers(app: func.FunctionApp, settings: Mapping[str, str]) -> list[Trigger]:
    """Return the triggers of an app's enabled functions, with references to settings resolved.

    Raises:
        HostError: If a setting is missing, or a function has a trigger that is not supported.
    """
    functions = app.get_functions()
    return [
        _trigger(function, settings)
        for function in functions
        if not is_disabled(str(function.get_function_name()), settings)
    ]


def is_disabled(function: str, settings: Mapping[str, str]) -> bool:
    """Return whether the settings disable a function, by either name that Azure reads.

    As in Azure, only `true` and `1` disable it.
    """
    names = (f"AzureWebJobs.{function}.Disabled", f"AzureWebJobs_{function}_Disabled")
    return any(settings.get(name, "").strip().lower() in {"true", "1"} for name in names)


def _trigger(declaration: Any, settings: Mapping[str, str]) -> Trigger:  # noqa: ANN401 - no public type
    function = Function(
        name=declaration.get_function_name(),
        call=declaration.get_user_function(),
        retry=_retry_policy(declaration.get_settings_dict("retry_policy")),
    )
    for binding in declaration.get_bindings_dict()["bindings"]:
        kind = str(binding["type"]).lower()
        if kind == "cosmosdbtrigger":
            return _cosmos(function, binding, settings)
        if kind == "httptrigger":
            return _http(function, binding)
        if kind == "timertrigger":
            return _timer(function, binding, settings)
    raise HostError(
        f"Function {function.name} has no Cosmos DB, HTTP or timer trigger. The local host "
        "supports no other triggers; run the app with Azure Functions Core Tools."
    )


def _cosmos(
    function: Function, binding: Mapping[str, Any], settings: Mapping[str, str]
) -> CosmosTrigger:
    def text(name: str, default: str) -> str:
        referrer = f"{name} of function {function.name}"
        return resolve_references(str(binding.get(name) or default), settings, referrer)

    def seconds(name: str) -> float | None:
        return int(binding[name]) / 1000 if binding.get(name) else None

    connection = str(binding.get("connection") or "CosmosDB")
    database = text("databaseName", "")
    return CosmosTrigger(
        function=function,
        argument=str(binding["name"]),
        connection=connection,
        database=database,
        container=text("containerName", ""),
        lease_connection=str(binding.get("leaseConnection") or connection),
        lease_database=text("leaseDatabaseName", database),
        lease_container=text("leaseContainerName", "leases"),
        lease_prefix=text("leaseContainerPrefix", ""),
        max_items=int(binding.get("maxItemsPerInvocation") or _DEFAULT_MAX_ITEMS),
        poll_delay=int(binding.get("feedPollDelay") or _DEFAULT_POLL_MS) / 1000,
        start_from_beginning=bool(binding.get("startFromBeginning")),
        acquire=seconds("leaseAcquireInterval"),
        renew=seconds("leaseRenewInterval"),
        expiration=seconds("leaseExpirationInterval"),
    )


def _http(function: Function, binding: Mapping[str, Any]) -> HttpTrigger:
    methods: Iterable[Any] = binding.get("methods") or ()
    return HttpTrigger(
        function=function,
        argument=str(binding["name"]),
        route=str(binding.get("route") or function.name),
        methods=tuple(str(getattr(method, "value", method)).upper() for method in methods) or None,
        level=str(getattr(binding["authLevel"], "value", binding["authLevel"])).lower(),
    )


def _timer(
    function: Function, binding: Mapping[str, Any], settings: Mapping[str, str]
) -> TimerTrigger:
    referrer = f"schedule of function {function.name}"
    expression = resolve_references(str(binding["schedule"]), settings, referrer)
    use_monitor = binding.get("useMonitor")
    return TimerTrigger(
        function=function,
        argument=str(binding["name"]),
        schedule=Schedule(expression, referrer),
        run_on_startup=bool(binding.get("runOnStartup")),
        use_monitor=True if use_monitor is None else bool(use_monitor),
    )


def _retry_policy(declaration: Mapping[str, Any] | None) -> RetryPolicy | None:
    if not declaration:
        return None
    is_fixed = str(declaration["strategy"]).lower().replace("_", "") in {"fixeddelay", "fixed"}
    min_delay = "delay_interval" if is_fixed else "minimum_interval"
    max_delay = "delay_interval" if is_fixed else "maximum_interval"
    return RetryPolicy(
        is_exponential=not is_fixed,
        max_retries=int(declaration["max_retry_count"]),
        min_delay=parse_duration(declaration[min_delay]),
        max_delay=parse_duration(declaration[max_delay]),
    )


def parse_duration(text: str) -> float:
    """Return the seconds of a duration `HH:MM:SS`."""
    hours, minutes, seconds = map(int, text.split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds).total_seconds()
