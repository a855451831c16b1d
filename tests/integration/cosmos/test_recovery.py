"""State on disk: who may use it, and what a killed process leaves behind."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from azure.cosmos import CosmosClient, PartitionKey

from local.cosmos import WELL_KNOWN_KEY, Options, run_in_thread


@contextmanager
def process(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command, and the endpoint that it says it is ready on."""
    command = [sys.executable, "-m", "local", "cosmos", "--port", "0", "--data", str(folder)]
    with subprocess.Popen(  # noqa: S603 - our own command
        [*command, "--partitions", "2"], stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        try:
            yield running, running.stdout.readline().split()[-1]
        finally:
            running.kill()


def test_a_killed_server_keeps_what_it_acknowledged(tmp_path: Path) -> None:
    """Every item with its ETag, and the LSNs go on."""
    acknowledged = {}
    with process(tmp_path) as (running, endpoint), CosmosClient(endpoint, WELL_KNOWN_KEY) as client:
        container = client.create_database("db").create_container("c", PartitionKey("/pk"))
        for number in range(50):
            item = container.create_item({"id": str(number), "pk": f"k{number % 7}"})
            acknowledged[item["id"]] = (item["_rid"], item["_etag"])
        running.send_signal(signal.SIGKILL)
        running.wait()

    with process(tmp_path) as (_, endpoint), CosmosClient(endpoint, WELL_KNOWN_KEY) as client:
        container = client.get_database_client("db").get_container_client("c")
        container.create_item({"id": "later", "pk": "k0"})
        feed = list(container.query_items_change_feed(start_time="Beginning"))

    found = {each["id"]: (each["_rid"], each["_etag"]) for each in feed}
    later = found.pop("later")
    assert found == acknowledged
    assert later[0] not in {rid for rid, _ in found.values()}
    by_partition = [each["_lsn"] for each in feed if each["pk"] == "k0"]
    assert by_partition == sorted(set(by_partition))


def test_a_folder_has_one_server(tmp_path: Path) -> None:
    """Two would give the same LSN to different transactions."""
    options = Options(port=0, data=tmp_path)

    with (
        run_in_thread(options),
        pytest.raises(OSError, match="perhaps another process"),
        run_in_thread(options),
    ):
        pass


def test_a_folder_of_another_version_is_refused(tmp_path: Path) -> None:
    """It says what to do."""
    with sqlite3.connect(tmp_path / "cosmos.sqlite3") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()

    with (
        pytest.raises(OSError, match="delete it"),
        run_in_thread(Options(port=0, data=tmp_path)),
    ):
        pass


def test_a_bad_key_is_one_line() -> None:
    """The command says which option to change."""
    done = subprocess.run(
        [sys.executable, "-m", "local", "cosmos", "--port", "0", "--key", "no Base64!"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "--key" in done.stderr
