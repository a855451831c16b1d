"""The benchmarks run, and what they print is made of what happened."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.workloads import FOLLOWS, derived

ROOT = Path(__file__).parents[2]


def measured(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    figures = folder / "figures.json"
    done = subprocess.run(  # noqa: S603 - our own commands
        [sys.executable, "-m", "benchmarks", *arguments, "--json", str(figures)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report: list[dict[str, Any]] = json.loads(figures.read_text(encoding="utf-8"))
    return report


def test_reading_is_measured_with_what_waits_for_it(tmp_path: Path) -> None:
    """Others have their turns."""
    (row,) = measured(tmp_path, "reading", "--rounds", "1", "--events", "2000")

    assert row["turns_of_others"] > 10
    assert row["longest_gap_ms"] > 0


def test_poison_is_measured_beside_its_absence(tmp_path: Path) -> None:
    """Two runs, the healthy one first."""
    without, poisoned = measured(tmp_path, "poison", "--rounds", "1", "--batches", "10")

    assert without["of_healthy"] == 1.0
    assert poisoned["events_a_second"] > 0


@pytest.mark.timeout(120)
def test_a_fan_out_is_checked_whole(tmp_path: Path) -> None:
    """Every derived event, in each run."""
    runs = measured(tmp_path, "fanout", "--events", "2000", "--times", "10", "--kills", "0")

    assert [run["exact"] for run in runs] == [True, True, True]
    assert all(run["host_memory_mb"] > 0 for run in runs)


@pytest.mark.timeout(300)
def test_growth_is_measured_over_events_batches_and_fan_outs(tmp_path: Path) -> None:
    """Each in a process of its own, which takes less than 300 MB, however large events are."""
    runs = measured(tmp_path, "growth", "--largest", "10000", "--rounds", "1")

    assert next(run["run"] for run in runs) == "10,000 source events"
    assert "fan-out of 10,000" in [run["run"] for run in runs]
    assert [run["run"] for run in runs][-1] == "fan-out of 40, 1,000,000 bytes"
    assert all(run["microseconds"] > 0 and 10 < run["peak_mb"] < 300 for run in runs)
    assert (tmp_path / "figures.svg").read_text(encoding="utf-8").startswith("<?xml")


@pytest.mark.timeout(120)
def test_lag_is_split_into_its_parts(tmp_path: Path) -> None:
    """What the parts take is what the whole takes; and polls cost less if there are fewer."""
    delays = ("--poll-delay", "250", "--poll-delay", "1000")
    rows = measured(tmp_path, "lag", "--rate", "20", "--seconds", "2", *delays)
    most = {row["run"]: row["most"] for row in rows}
    often, seldom = rows[0]["polls_ru_an_hour"], rows[-1]["polls_ru_an_hour"]

    assert len(rows) == 2 * 5
    for delay in ("250 ms: ", "1000 ms: "):
        whole, feed = "accepted to follower stored", "of it, until the feed delivers"
        assert most[f"{delay}{whole}"] >= most[f"{delay}{feed}"]
    assert all(row["p50"] <= row["p99"] <= row["most"] for row in rows)
    assert often > 2 * seldom > 0


@pytest.mark.timeout(120)
def test_a_budget_is_used_and_not_overdrawn(tmp_path: Path) -> None:
    """As the account itself counts it."""
    few = ("--rounds", "1", "--seconds", "2", "--partitions", "1", "--budget", "1000")
    even, hot = measured(tmp_path, "throttled", *few)

    assert even["run"] == "1,000 over 1, even: ours"
    assert hot["run"] == "1,000 over 1, one hot: ours"
    for row in (even, hot):
        assert 0.5 < row["used"] < 1.2
        assert 0 <= row["refused"] < 0.5


def test_a_start_is_measured_step_by_step(tmp_path: Path) -> None:
    """From Python itself to an opened client."""
    figures: Any = measured(tmp_path, "start", "--rounds", "1")

    assert next(step["run"] for step in figures["steps"]) == "Python itself"
    assert [step["run"] for step in figures["steps"]][-1] == "and a client opened"
    assert {"core", "azure.cosmos"} <= {package["run"] for package in figures["packages"]}


@pytest.mark.parametrize(("name", "streams"), [("spread", 1_000), ("hot", 1), ("real", 253)])
def test_workloads_are_what_they_are_called(name: str, streams: int) -> None:
    """By how many streams they are spread over."""
    writes = derived(FOLLOWS[name](1_000))

    assert len({write.stream_id for write in writes}) == streams
    assert len({write.id for write in writes}) == len(writes) >= 999
