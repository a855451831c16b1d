"""The rules of the Functions host, which only compute."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from local.host.bindings import CosmosTrigger, HttpTrigger, RetryPolicy, find_triggers
from local.host.leases import (
    Lease,
    LeaseFormatError,
    LeaseIntervals,
    PartitionKeyRange,
    child_leases,
    lease_prefix,
    leases_to_acquire,
    new_lease,
    timestamp,
)
from local.host.retries import next_delay
from local.host.settings import Account, HostError, load_settings, resolve_references

NOW = datetime(2026, 8, 1, 12, tzinfo=timezone.utc)
INTERVALS = LeaseIntervals()


def lease(token: str, owner: str | None, age: float = 1.0) -> Lease:
    written = timestamp(NOW - timedelta(seconds=age))
    return Lease({"id": f"p..{token}", "LeaseToken": token, "Owner": owner, "timestamp": written})


@pytest.mark.parametrize(
    ("owners", "expected"),
    [
        pytest.param("----", "0123", id="alone: all"),
        pytest.param("aa--", "23", id="half is taken: the other half"),
        pytest.param("aaa-", "3", id="a free one first"),
        pytest.param("aaaa", "0", id="nothing free: one is stolen"),
        pytest.param("aame", "", id="a fair share"),
        pytest.param("aamm", "", id="balanced"),
        pytest.param("aaam", "0", id="one too many elsewhere"),
        pytest.param("abcd", "", id="more workers than leases"),
        pytest.param("abc-", "3", id="more workers, one free"),
        pytest.param("", "", id="no leases"),
        pytest.param("xxaa", "01", id="an expired owner"),
    ],
)
def test_balancing_follows_the_processor(owners: str, expected: str) -> None:
    """Owners by lease: `-` free, `m` me, `x` one that is gone."""
    leases = [
        lease(str(nth), None if owner == "-" else owner, 90 if owner == "x" else 1)
        for nth, owner in enumerate(owners)
    ]

    acquired = leases_to_acquire(leases, "m", NOW, INTERVALS)

    assert "".join(lease.token for lease in acquired) == expected


@pytest.mark.parametrize(
    ("failures", "random", "expected"),
    [(1, 0.5, 2.0), (2, 0.5, 4.0), (3, 0.5, 6.0), (3, 0.0, 5.2), (5, 0.5, 18.0), (50, 0.5, 60.0)],
)
def test_exponential_delays_follow_the_sdk(failures: int, random: float, expected: float) -> None:
    """The first is the minimum, later ones grow to the maximum and stay there."""
    policy = RetryPolicy(is_exponential=True, max_retries=-1, min_delay=2.0, max_delay=60.0)

    assert next_delay(policy, failures, random) == pytest.approx(expected)


def test_exponential_delays_are_those_that_were_observed() -> None:
    """Between 1 and 15 seconds, on Microsoft's own host."""
    policy = RetryPolicy(is_exponential=True, max_retries=-1, min_delay=1.0, max_delay=15.0)
    observed = [1.0, 1.9, 2.9, 4.5, 7.6, 13.8, 15.0]
    bounds = [
        [next_delay(policy, failures, jitter) for jitter in (0.0, 0.999)]
        for failures in range(1, len(observed) + 1)
    ]

    for seconds, (least, most) in zip(observed, bounds, strict=True):
        assert least is not None
        assert most is not None
        assert least - 0.05 <= seconds <= most + 0.05


@pytest.mark.parametrize(("failures", "expected"), [(1, 5.0), (2, 5.0), (3, None)])
def test_a_finite_policy_ends(failures: int, expected: float | None) -> None:
    """After so many repetitions."""
    policy = RetryPolicy(is_exponential=False, max_retries=2, min_delay=5.0, max_delay=5.0)

    assert next_delay(policy, failures, 0.0) == expected


def test_lease_ids_are_those_of_the_trigger() -> None:
    """Prefix, host without scheme and port, resource ids of database and container."""
    prefix = lease_prefix("orders-", "https://acct.documents.azure.com:443", "3FIlAOzjvyg=")

    assert prefix == "orders-acct.documents.azure.com_3FIlAA==_3FIlAOzjvyg="


def test_a_new_lease_is_as_the_trigger_creates_it() -> None:
    """Every property, null where it writes null."""
    parsed = new_lease("p", PartitionKeyRange(id="0", minimum="", maximum="FF"), None)

    assert parsed == {
        "id": "p..0",
        "version": 0,
        "LeaseToken": "0",
        "FeedRange": {"Range": {"min": "", "max": "FF"}},
        "Owner": None,
        "ContinuationToken": None,
        "properties": {},
        "timestamp": None,
        "Mode": "Incremental Feed",
    }


def test_after_a_split_each_child_goes_on_from_the_parents_token() -> None:
    """Children of version 0."""
    parent = Lease(new_lease("p", PartitionKeyRange(id="0", minimum="", maximum="40"), '"7"'))
    today = [
        PartitionKeyRange(id="1", minimum="", maximum="20"),
        PartitionKeyRange(id="2", minimum="20", maximum="40"),
        PartitionKeyRange(id="3", minimum="40", maximum="FF"),
    ]

    created = child_leases("p", parent, today, '"9"')

    assert [(lease["LeaseToken"], lease["ContinuationToken"]) for lease in created] == [
        ("1", '"9"'),
        ("2", '"9"'),
    ]


@pytest.mark.parametrize(
    "feed_range", [None, {"Range": {"min": "FF", "max": "FF"}}], ids=["none", "empty"]
)
def test_a_lease_over_nothing_has_no_successors(feed_range: Any) -> None:
    """Rather than leases that nobody can work on; it is named."""
    parent = Lease(
        {
            **new_lease("p", PartitionKeyRange(id="0", minimum="", maximum="40"), None),
            "FeedRange": feed_range,
        }
    )

    with pytest.raises(LeaseFormatError, match=r"Lease document 'p\.\.0'.*FeedRange"):
        child_leases("p", parent, [PartitionKeyRange(id="1", minimum="", maximum="FF")], None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2026-08-01T12:00:00.5Z", 0.5), ("2026-08-01T12:00:00Z", 0), ("2026-08-01T12:00:00", 0)],
)
def test_times_of_leases_are_read_as_dot_net_writes_them(text: str, seconds: float) -> None:
    """With as many digits as it needs."""
    parsed = Lease({"id": "p..0", "timestamp": text})

    assert parsed.updated_at == NOW + timedelta(seconds=seconds)


def test_after_a_merge_one_lease_keeps_the_old_range() -> None:
    """Of version 1, over a part of the new partition."""
    parent = Lease(new_lease("p", PartitionKeyRange(id="0", minimum="", maximum="40"), '"7"'))

    (created,) = child_leases(
        "p", parent, [PartitionKeyRange(id="9", minimum="", maximum="FF")], '"7"'
    )

    assert (created["version"], created["LeaseToken"]) == (1, "-40")
    assert created["FeedRange"] == {"Range": {"min": "", "max": "40"}}


def by_key_range(low: str, high: str) -> Lease:
    place = PartitionKeyRange(id=f"{low}-{high}", minimum=low, maximum=high)
    return Lease({**new_lease("p", place, '"7"'), "version": 1})


def test_a_lease_on_a_key_range_stays_where_one_partition_holds_it() -> None:
    """A 410 may pass by itself; deleting the lease would leave its events to nobody."""
    today = [PartitionKeyRange(id="9", minimum="", maximum="FF")]

    assert child_leases("p", by_key_range("10", "20"), today, '"7"') == []


def test_a_lease_on_a_key_range_is_cut_where_the_partitions_are() -> None:
    """Each part stays inside its range."""
    today = [
        PartitionKeyRange(id="1", minimum="", maximum="18"),
        PartitionKeyRange(id="2", minimum="18", maximum="FF"),
    ]

    created = child_leases("p", by_key_range("10", "20"), today, '"7"')

    assert [(lease["version"], lease["LeaseToken"]) for lease in created] == [
        (1, "10-18"),
        (1, "18-20"),
    ]


def test_unknown_properties_of_a_lease_are_kept() -> None:
    """Another version of the trigger may have written them."""
    changed = Lease({"id": "p..0", "properties": {"x": "y"}, "new": 1}).with_changes(
        NOW, {"Owner": "me"}
    )

    assert (changed["new"], changed["properties"], changed["Owner"]) == (1, {"x": "y"}, "me")


def app() -> func.FunctionApp:
    function_app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)

    @function_app.function_name("fed")
    @function_app.retry(strategy="fixed_delay", max_retry_count="3", delay_interval="00:00:10")
    @function_app.cosmos_db_trigger(
        arg_name="documents",
        connection="C",
        database_name="%Db%",
        container_name="events",
        lease_expiration_interval=9000,
    )
    def fed(documents: func.DocumentList) -> None: ...

    @function_app.route("a/{b}", methods=["POST"])
    def asked(req: func.HttpRequest) -> str:
        return ""

    return function_app


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("true", ["asked"]),
        (" TRUE ", ["asked"]),
        ("1", ["asked"]),
        ("false", ["fed", "asked"]),
        ("0", ["fed", "asked"]),
        ("yes", ["fed", "asked"]),
        ("", ["fed", "asked"]),
    ],
)
def test_a_disabled_function_is_left_out(value: str, names: list[str]) -> None:
    """As Azure reads the setting."""
    triggers = find_triggers(app(), {"Db": "d", "AzureWebJobs.fed.Disabled": value})

    assert [trigger.function.name for trigger in triggers] == names


def test_a_trigger_that_is_not_covered_is_named() -> None:
    """With its function."""
    function_app = func.FunctionApp()

    @function_app.queue_trigger(arg_name="message", queue_name="q", connection="C")
    def queued(message: func.QueueMessage) -> None: ...

    with pytest.raises(HostError, match="Function queued has no Cosmos DB, HTTP or timer trigger"):
        find_triggers(function_app, {})


def test_bindings_are_read_with_the_triggers_defaults() -> None:
    """As the extension has them."""
    fed, asked = find_triggers(app(), {"Db": "projections"})

    assert isinstance(fed, CosmosTrigger)
    assert (fed.database, fed.lease_database, fed.lease_container) == (
        "projections",
        "projections",
        "leases",
    )
    assert (fed.max_items, fed.poll_delay, fed.expiration, fed.acquire) == (100, 5.0, 9.0, None)
    assert fed.function.retry == RetryPolicy(
        is_exponential=False, max_retries=3, min_delay=10.0, max_delay=10.0
    )
    assert isinstance(asked, HttpTrigger)
    assert (asked.route, asked.methods, asked.level) == ("a/{b}", ("POST",), "function")


def test_a_missing_setting_is_named_with_its_binding() -> None:
    """As the real host does, which rejects to start the function."""
    with pytest.raises(HostError, match="Setting Db is missing; databaseName of function fed"):
        find_triggers(app(), {})


def test_references_are_resolved_inside_text() -> None:
    """Several of them."""
    assert resolve_references("%A%-x-%B%", {"A": "1", "B": "2"}, "here") == "1-x-2"


@pytest.mark.parametrize("text", ["", "AccountKey=k", "AccountEndpoint=http://x"])
def test_an_unusable_connection_is_named(text: str) -> None:
    """And the key is not shown."""
    with pytest.raises(HostError, match="Setting C, which here needs"):
        Account.from_setting("C", {"C": text}, "here")


def test_the_environment_wins_over_the_settings_file(tmp_path: Path) -> None:
    """As for the real host."""
    content: dict[str, Any] = {"Values": {"A": "file", "B": "file"}}
    (tmp_path / "local.settings.json").write_text(json.dumps(content), encoding="utf-8")

    assert load_settings(tmp_path, {"A": "environment"}) == {"A": "environment", "B": "file"}


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"Values": 5}'])
def test_an_unreadable_settings_file_is_named(tmp_path: Path, text: str) -> None:
    """With what was expected."""
    (tmp_path / "local.settings.json").write_text(text, encoding="utf-8")

    with pytest.raises(HostError, match=r"local\.settings\.json: expected a JSON object"):
        load_settings(tmp_path, {})
