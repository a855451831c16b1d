"""State on disk: who may use it, and what a killed process leaves behind."""

from __future__ import annotations

import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest
from azure.cosmos import CosmosClient, PartitionKey

from local.cosmos import WELL_KNOWN_KEY, CosmosOptions, run_in_thread
from tests.integration.cosmos.raw import ITEMS, A, Raw, Reply

CANNOT_GROW = ("sh", "-c", 'ulimit -f 0; exec "$@"', "sh")
"""Before a command: no file of it can grow, as on a full disk."""


@contextmanager
def process(
    folder: Path, *before: str, errors: int | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command, and the endpoint that it says it is ready on."""
    command = [sys.executable, "-m", "local", "cosmos", "--port", "0", "--data", str(folder)]
    with subprocess.Popen(  # noqa: S603 - our own command
        [*before, *command, "--partitions", "2"],
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
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

    stored = {item["id"]: (item["_rid"], item["_etag"]) for item in feed}
    later = stored.pop("later")
    assert stored == acknowledged
    assert later[0] not in {rid for rid, _ in stored.values()}
    by_partition = [item["_lsn"] for item in feed if item["pk"] == "k0"]
    assert by_partition == sorted(set(by_partition))


def test_a_folder_has_one_server(tmp_path: Path) -> None:
    """Two would give the same LSN to different transactions."""
    options = CosmosOptions(port=0, data=tmp_path)

    with (
        run_in_thread(options),
        pytest.raises(OSError, match="Check that no other process uses it"),
        run_in_thread(options),
    ):
        pass


def test_a_folder_of_another_version_is_rejected(tmp_path: Path) -> None:
    """It says what to do."""
    with sqlite3.connect(tmp_path / "cosmos.sqlite3") as db:
        db.execute("PRAGMA user_version = 99")
    db.close()

    with (
        pytest.raises(OSError, match="delete it"),
        run_in_thread(CosmosOptions(port=0, data=tmp_path)),
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


async def create(raw: Raw, item_id: str) -> Reply:
    return await raw.send("POST", ITEMS, {"id": item_id, "pk": "a", "text": "x" * 10_000}, A)


async def read(raw: Raw, item_id: str) -> int:
    return (await raw.send("GET", f"{ITEMS}/{item_id}", headers=A)).status


async def health(raw: Raw) -> tuple[int, str]:
    """Return what the server says of itself, and why."""
    async with raw.session.get(f"{raw.endpoint}_local/health") as answer:
        return answer.status, (await answer.json()).get("problem", "")


@pytest.mark.skipif(sys.platform != "linux", reason="limits a running process")
async def test_a_full_disk_stops_writes_only_and_only_while_it_is_full(tmp_path: Path) -> None:
    """503, with the reason in the health; nothing has to be started again."""
    with process(tmp_path) as (running, endpoint):
        async with aiohttp.ClientSession() as session:
            raw = Raw(endpoint, session)
            await raw.prepare()
            await create(raw, "before")

            unlimited = resource.prlimit(running.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(running.pid, resource.RLIMIT_FSIZE, (0, unlimited[1]))
            refused = await create(raw, "refused")
            told = await health(raw)
            seen = [await read(raw, "before"), await read(raw, "refused")]
            resource.prlimit(running.pid, resource.RLIMIT_FSIZE, unlimited)

            assert (refused.status, refused.headers["x-ms-request-charge"]) == (503, "0")
            assert told[0] == 503
            assert "Free disk space" in told[1]
            assert told[1] in refused.body["message"]
            assert seen == [200, 404]
            assert (await create(raw, "refused")).status == 201
            assert await health(raw) == (200, "")


async def test_a_killed_server_starts_again_on_a_full_disk(tmp_path: Path) -> None:
    """It serves what it acknowledged, says what to do, and takes writes once there is room."""
    with process(tmp_path) as (running, endpoint):
        async with aiohttp.ClientSession() as session:
            raw = Raw(endpoint, session)
            await raw.prepare()
            for number in range(100):
                assert (await create(raw, str(number))).status == 201
        running.send_signal(signal.SIGKILL)
        running.wait()

    with process(tmp_path, *CANNOT_GROW, errors=subprocess.PIPE) as (running, endpoint):
        async with aiohttp.ClientSession() as session:
            raw = Raw(endpoint, session)
            assert [await read(raw, str(number)) for number in (0, 50, 99)] == [200] * 3
            assert (await create(raw, "refused")).status == 503
            assert (await health(raw))[0] == 503
        running.terminate()
        assert "Free disk space, then write again." in running.communicate()[1]

    with process(tmp_path) as (_, endpoint):
        async with aiohttp.ClientSession() as session:
            raw = Raw(endpoint, session)
            assert [await read(raw, "99"), await read(raw, "refused")] == [200, 404]
            assert (await create(raw, "refused")).status == 201


async def test_a_log_on_the_full_disk_stops_nothing(tmp_path: Path) -> None:
    """What to do is in the health as well."""
    with process(tmp_path):
        pass

    with (
        (tmp_path / "errors").open("w") as errors,
        process(tmp_path, *CANNOT_GROW, errors=errors.fileno()) as (_, endpoint),
    ):
        async with aiohttp.ClientSession() as session:
            assert (await health(Raw(endpoint, session)))[0] == 503
