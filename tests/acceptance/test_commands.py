"""The commands as processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from local.cosmos import WELL_KNOWN_KEY
from local.harness.processes import free_port
from tests.commands import EXAMPLE, ROOT, RUN, run, run_in, running
from tests.support import attempts, user


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_local_machine_stops_cleanly(how: signal.Signals) -> None:
    """On Ctrl-C and on SIGTERM: exit code 0, nothing but its own words."""
    port, cosmos_port = free_port(), free_port()
    arguments = ("--port", str(port), "--cosmos-port", str(cosmos_port))

    with running(*RUN, *arguments, probe=f"http://127.0.0.1:{port}/api/health") as process:
        process.send_signal(how)
        output, _ = process.communicate(timeout=30)

    assert process.returncode == 0, output
    assert output.splitlines()[-1] == "Stopped."
    assert "Traceback" not in output


def follow(url: str) -> int:
    """Send a command and return the status."""
    body = {"user_id": str(user(1)), "to_follow": str(user(2))}
    request = urllib.request.Request(  # noqa: S310 - our own server
        f"{url}/api/commands/follow",
        data=json.dumps(body).encode(),
        headers={"x-functions-key": "local"},
    )
    with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310 - as above
        return int(response.status)


@pytest.mark.parametrize("quiet", [False, True], ids=["verbose", "quiet"])
def test_admin_finds_the_running_app_by_itself(*, quiet: bool) -> None:
    """In the next terminal, without options; activity is printed unless --quiet is given."""
    port, cosmos_port = free_port(), free_port()
    arguments = ["--port", str(port), "--cosmos-port", str(cosmos_port)]
    arguments += ["--quiet"] if quiet else []
    url = f"http://127.0.0.1:{port}"

    with running(*RUN, *arguments, probe=f"{url}/api/health") as process:
        status = follow(url)
        for _ in attempts():
            done = run_in(EXAMPLE, "admin", "status", "--json", CosmosConnection="")
            if json.loads(done.stdout)["projections"][0]["caughtUp"]:
                break
        file = EXAMPLE / ".local" / f"run-{process.pid}.json"
        mode = file.stat().st_mode & 0o777
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=30)

    assert status == 202
    assert f".local/run-{process.pid}.json" in done.stderr
    assert mode == 0o600
    assert not file.exists()
    for text in (
        "command     follow: 202",
        "batch       followship, lease",
        ": acquired",
        ": released",
    ):
        assert (text in output) is not quiet


def test_the_settings_of_an_app_that_has_ended_are_not_used(tmp_path: Path) -> None:
    """The file that it left is named, with what to do."""
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / f"run-{gone_process()}.json").write_text('{"Values": {}}')

    done = run_in(tmp_path, "admin", "status", CosmosConnection="")

    assert done.returncode == 1
    assert "CosmosConnection: is missing, and .local/run-" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def gone_process() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_named_account_is_preferred_to_the_running_app(tmp_path: Path) -> None:
    """From the environment, from local.settings.json, or from a file that is asked for."""
    folder, named = tmp_path / ".local", "AccountEndpoint=http://127.0.0.1:9/"
    folder.mkdir()
    (folder / f"run-{os.getpid()}.json").write_text(
        json.dumps({"Values": {"CosmosConnection": "AccountKey=eA=="}})
    )
    other = tmp_path / "other.json"
    other.write_text('{"Values": {}}')

    from_environment = run_in(tmp_path, "admin", "init", CosmosConnection=named)
    asked_for = run_in(tmp_path, "admin", "init", "--settings", str(other), CosmosConnection="")
    completed = run_in(tmp_path, "admin", "init", CosmosConnection="")
    (tmp_path / "local.settings.json").write_text(
        json.dumps({"Values": {"CosmosConnection": named}})
    )
    from_file = run_in(tmp_path, "admin", "init")

    assert "has no AccountKey" in from_environment.stderr
    assert "has no AccountKey" in from_file.stderr
    assert "CosmosConnection: is missing" in asked_for.stderr
    assert "run-" in completed.stderr
    assert "has no AccountEndpoint" in completed.stderr


def test_a_stop_takes_ten_seconds_at_most_when_the_database_hangs() -> None:
    """Whatever waits for it: leases, feeds, the engine."""
    port, cosmos_port = free_port(), free_port()
    endpoint = f"http://127.0.0.1:{cosmos_port}/"
    url, statistics = f"http://127.0.0.1:{port}", f"{endpoint}_local/statistics"
    hang = {"rules": [{"fault": "hang", "rate": 1.0, "durationMs": 100_000}]}

    with running("local", "cosmos", "--port", str(cosmos_port), probe=statistics):
        arguments = ("--port", str(port), "--endpoint", endpoint)
        with running(*RUN, *arguments, probe=f"{url}/api/health") as process:
            follow(url)
            request = urllib.request.Request(  # noqa: S310 - our own server
                f"{endpoint}_local/faults", data=json.dumps(hang).encode()
            )
            urllib.request.urlopen(request, timeout=20).close()  # noqa: S310 - as above
            time.sleep(3)  # until everything waits
            begun = time.monotonic()
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=60)

    assert time.monotonic() - begun < 10
    assert process.returncode == 0, output
    assert output.splitlines()[-1] == "Stopped."


def test_a_host_is_cut_off_by_a_signal() -> None:
    """It leaves at once, and ends by itself."""
    port, cosmos_port = free_port(), free_port()
    arguments = ("--port", str(port), "--cosmos-port", str(cosmos_port))

    with running(*RUN, *arguments, probe=f"http://127.0.0.1:{port}/api/health") as process:
        process.send_signal(signal.SIGUSR1)
        output, _ = process.communicate(timeout=30)

    assert process.returncode == 0, output
    assert "host.cut_off running_calls=0" in output
    assert output.splitlines()[-1] == "Stopped."


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_the_embedded_cosmos_stops_cleanly(how: signal.Signals, tmp_path: Path) -> None:
    """And its data is where it was told to be."""
    port = free_port()
    probe = f"http://127.0.0.1:{port}/_local/statistics"
    arguments = ("cosmos", "--port", str(port), "--data", str(tmp_path))

    with running("local", *arguments, probe=probe) as process:
        process.send_signal(how)
        output, _ = process.communicate(timeout=30)

    assert process.returncode == 0, output
    assert (tmp_path / "cosmos.sqlite3").exists()


def test_a_taken_port_is_said() -> None:
    """In one line."""
    port = free_port()
    probe = f"http://127.0.0.1:{port}/_local/statistics"

    with running("local", "cosmos", "--port", str(port), probe=probe):
        second = run("local", "cosmos", "--port", str(port))

    assert second.returncode == 1
    assert f"cannot start on port {port}" in second.stderr
    assert "Traceback" not in second.stderr


def test_the_demo_survives_a_killed_host_and_a_split(tmp_path: Path) -> None:
    """Every user matches the graph, and the report is in a file."""
    graph, figures = tmp_path / "follows.csv", tmp_path / "out.json"
    lines = [f"u{number % 7},u{number % 11}" for number in range(120)]
    graph.write_text("\n".join(["source,target", *lines]), encoding="utf-8")

    done = run(
        *("local", "demo", "--follows", str(graph), "--kills", "1", "--splits", "1"),
        *("--partitions", "2", "--json", str(figures)),
    )

    report = json.loads(figures.read_text(encoding="utf-8"))
    expected = {(a, b) for a, b in (line.split(",") for line in lines) if a != b}
    assert done.returncode == 0, done.stdout + done.stderr
    assert report["follows"] == report["followedEvents"] == len(expected)
    assert report["wasFollowedEvents"] == len(expected)
    assert report["usersIncorrect"] == report["lost"] == report["duplicated"] == 0
    assert report["deadLetters"] == 0
    assert report["usersChecked"] == 11
    assert report["hostStarts"] == 2
    assert len(report["checkpoints"]) == 3
    assert report["eventsPerSecond"] > 0


def test_the_demo_runs_on_an_app_that_is_running(tmp_path: Path) -> None:
    """Over HTTP alone, as with the Functions host of Azure."""
    port, cosmos = str(free_port()), str(free_port())
    graph, figures = tmp_path / "follows.csv", tmp_path / "out.json"
    graph.write_text("a,b\na,c\nb,c\nc,c\na,b\n", encoding="utf-8")
    url = f"http://127.0.0.1:{port}/"

    with running(*RUN, "--port", port, "--cosmos-port", cosmos, probe=f"{url}api/health"):
        done = run("local", "demo", "--url", url, "--follows", str(graph), "--json", str(figures))

    report = json.loads(figures.read_text(encoding="utf-8"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (report["follows"], report["usersChecked"], report["usersIncorrect"]) == (3, 3, 0)


@pytest.mark.skipif(not Path("/proc").exists(), reason="children are listed in /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_demo_leaves_no_process_behind(how: signal.Signals) -> None:
    """Its Cosmos DB and its host end with it."""
    command = [sys.executable, "-m", "local", "demo", "--limit", "5000"]
    process = subprocess.Popen(  # noqa: S603 - our own command
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    for _ in attempts(30):
        child_ids = children(process.pid)
        if len(child_ids) == 2:
            break
        time.sleep(0.05)

    process.send_signal(how)
    output, _ = process.communicate(timeout=60)

    assert process.returncode == 130
    assert output.splitlines()[-1] == "Stopped."
    assert not any(Path(f"/proc/{child}").exists() for child in child_ids)


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in text.split()]


@pytest.mark.parametrize(
    ("content", "expected"),
    [("a b\nalone\n", "line 2: 'alone'"), ("", "contains no follow"), (None, "Cannot read")],
    ids=["a broken line", "an empty file", "no file"],
)
def test_a_bad_graph_is_rejected_before_anything_is_written(
    tmp_path: Path, content: str | None, expected: str
) -> None:
    """With the line and what was expected."""
    graph = tmp_path / "follows.txt"
    if content is not None:
        graph.write_text(content, encoding="utf-8")

    done = run("local", "demo", "--follows", str(graph))

    assert done.returncode == 1
    assert expected in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_status_and_init_speak_to_any_account() -> None:
    """By the app's own settings; as a table and as JSON."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}/"
    settings = {"CosmosConnection": f"AccountEndpoint={endpoint};AccountKey={WELL_KNOWN_KEY};"}
    probe = f"{endpoint}_local/statistics"

    with running("local", "cosmos", "--port", str(port), probe=probe):
        missing = run_in(EXAMPLE, "admin", "status", **settings)
        created = run("admin", "init", **settings)
        again = run("admin", "init", "--json", **settings)
        table = run_in(EXAMPLE, "admin", "status", **settings)
        figures = run_in(EXAMPLE, "admin", "status", "--json", **settings)

    assert missing.returncode == 1
    assert "admin init" in missing.stderr
    assert created.stdout == "events: created\nleases: created\ndeadletters: created\n"
    assert json.loads(again.stdout) == {"events": False, "leases": False, "deadletters": False}
    assert "not started" in table.stdout
    assert json.loads(figures.stdout)["projections"][0]["module"] == "followship"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "Setting CosmosConnection: is missing"),
        ({"CosmosConnection": "AccountKey=S3CRET"}, "no AccountEndpoint"),
        (
            {"CosmosConnection": "AccountEndpoint=http://127.0.0.1:9/;AccountKey=UzNDUkVU;"},
            "did not respond",
        ),
    ],
    ids=["missing", "malformed", "nobody there"],
)
def test_wrong_settings_are_one_line(settings: dict[str, str], expected: str) -> None:
    """Exit code 1, and the key is not in it."""
    done = run("admin", "init", **settings)

    assert done.returncode == 1
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "S3CRET" not in done.stderr
    assert "UzNDUkVU" not in done.stderr
