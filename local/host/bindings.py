"""What an app declares, read from its functions as the real host reads it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from local.host.schedules import Schedule
from local.host.settings import HostError, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import azure.functions as func

_DEFAULT_POLL_MS = 5000
_DEFAULT_MAX_ITEMS = 100


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """When a failed invocation is repeated; `count` -1 for ever; intervals in seconds."""

    exponential: bool
    count: int
    minimum: float
    maximum: float


@dataclass(frozen=True, kw_only=True)
class Function:
    """A declared function."""

    name: str
    call: Callable[..., Any]
    retry: RetryPolicy | None = None


@dataclass(frozen=True, kw_only=True)
class CosmosTrigger:
    """A function on a change feed. Intervals in seconds, None where the app says nothing."""

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
    """A function on a route; `methods` is None for all, `level` anonymous, function or admin."""

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


def declared(app: func.FunctionApp, settings: Mapping[str, str]) -> list[Trigger]:
    """Return the triggers of an app's enabled functions, references to settings resolved.

    Raises:
        HostError: If a setting is missing, or a function has a trigger that is not covered.
    """
    functions = app.get_functions()
    return [
        _trigger(function, settings)
        for function in functions
        if not is_disabled(str(function.get_function_name()), settings)
    ]


def is_disabled(function: str, settings: Mapping[str, str]) -> bool:
    """Return whether the settings disable a function, by either of the names that Azure reads.

    Any other value than `true` and `1` leaves it enabled, as in Azure.
    """
    names = (f"AzureWebJobs.{function}.Disabled", f"AzureWebJobs_{function}_Disabled")
    return any(settings.get(name, "").strip().lower() in {"true", "1"} for name in names)


def _trigger(declared_function: Any, settings: Mapping[str, str]) -> Trigger:  # noqa: ANN401 - no public type
    function = Function(
        name=declared_function.get_function_name(),
        call=declared_function.get_user_function(),
        retry=_retry_policy(declared_function.get_settings_dict("retry_policy")),
    )
    bindings = declared_function.get_bindings_dict()["bindings"]
    triggers = [each for each in bindings if str(each["type"]).lower().endswith("trigger")]
    for binding in triggers:
        kind = str(binding["type"]).lower()
        if kind == "cosmosdbtrigger":
            return _cosmos(function, binding, settings)
        if kind == "httptrigger":
            return _http(function, binding)
        if kind == "timertrigger":
            return _timer(function, binding, settings)
    raise HostError(
        f"Function {function.name} has no Cosmos DB, HTTP or timer trigger, which is all that the "
        "local host runs."
    )


def _cosmos(
    function: Function, binding: Mapping[str, Any], settings: Mapping[str, str]
) -> CosmosTrigger:
    def text(name: str, default: str) -> str:
        where = f"{name} of function {function.name}"
        return resolve(str(binding.get(name) or default), settings, where)

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
        methods=tuple(str(getattr(each, "value", each)).upper() for each in methods) or None,
        level=str(getattr(binding["authLevel"], "value", binding["authLevel"])).lower(),
    )


def _timer(
    function: Function, binding: Mapping[str, Any], settings: Mapping[str, str]
) -> TimerTrigger:
    where = f"schedule of function {function.name}"
    use_monitor = binding.get("useMonitor")
    return TimerTrigger(
        function=function,
        argument=str(binding["name"]),
        schedule=Schedule(resolve(str(binding["schedule"]), settings, where), where),
        run_on_startup=bool(binding.get("runOnStartup")),
        use_monitor=True if use_monitor is None else bool(use_monitor),
    )


def _retry_policy(declared_policy: Mapping[str, Any] | None) -> RetryPolicy | None:
    if not declared_policy:
        return None
    fixed = str(declared_policy["strategy"]).lower().replace("_", "") in {"fixeddelay", "fixed"}
    low = "delay_interval" if fixed else "minimum_interval"
    high = "delay_interval" if fixed else "maximum_interval"
    return RetryPolicy(
        exponential=not fixed,
        count=int(declared_policy["max_retry_count"]),
        minimum=duration(declared_policy[low]),
        maximum=duration(declared_policy[high]),
    )


def duration(text: str) -> float:
    """Seconds of a `HH:MM:SS`."""
    hours, minutes, seconds = map(int, text.split(":"))
    return timedelta(hours=hours, minutes=minutes, seconds=seconds).total_seconds()
