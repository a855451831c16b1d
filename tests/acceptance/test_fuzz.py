"""Whatever the app's own description allows or forbids is sent to it.

FUZZ_EXAMPLES says how many requests for each operation are made up, at most.
"""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
import schemathesis
from azure.cosmos import CosmosClient
from hypothesis import HealthCheck, settings
from schemathesis import Case, Response
from schemathesis.checks import positive_data_acceptance, unsupported_method

from core.functions.openapi import build_openapi
from core.model.registry import Registry
from examples.followship import projections
from local.cosmos import WELL_KNOWN_KEY
from local.harness.processes import free_port
from tests.commands import ROOT, RUN
from tests.support import attempts

KEY = {"x-functions-key": "local"}
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "25"))

EXCLUDED = [
    positive_data_acceptance,  # an application may refuse what its fields allow
    unsupported_method,  # routing is the host's
]

description = build_openapi(Registry.discover(projections))
del description["security"], description["components"]["securitySchemes"]  # the key is always sent
schema = schemathesis.openapi.from_dict(description)
schema.config.checks.negative_data_rejection.expected_statuses.append("412")  # also a rejection


@dataclass
class Served:
    """The app as processes of their own, and what it answered."""

    url: str
    cosmos: str
    statuses: Counter[int] = field(default_factory=Counter)
    accepted: set[str] = field(default_factory=set)

    def note(self, response: Response) -> None:
        """Count an answer, and keep the ids of events that were accepted."""
        self.statuses[response.status_code] += 1
        if response.status_code == 202:
            self.accepted.update(response.json()["eventIds"])


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """One app for all tests of this file."""
    port, cosmos = free_port(), free_port()
    command = [*RUN, "--port", str(port), "--cosmos-port", str(cosmos)]
    with subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", *command], cwd=ROOT, stdout=subprocess.DEVNULL
    ) as process:
        try:
            served = Served(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{cosmos}/")
            for _ in attempts(30):
                if _answers(f"{served.url}/api/health"):
                    break
            yield served
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url) as answer:  # noqa: S310 - our own
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.mark.timeout(3_600)
@schema.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_answers_are_those_that_are_described(case: Case[Any], served: Served) -> None:
    """No 500, no undescribed status, type or body; what breaks the description is rejected."""
    response = case.call(base_url=served.url, headers=KEY)
    served.note(response)

    case.validate_response(response, headers=KEY, excluded_checks=EXCLUDED)


ODD_BODIES = {
    "half a character": b'{"user_id": "\\ud800", "to_follow": "\\udfff"}',
    "half a character in a name": b'{"\\ud800": 1}',
    "no UTF-8": b'{"user_id": "\xff"}',
    "a control character": b'{"user_id": "\x00", "to_follow": "\\u0000"}',
    "a number that JSON does not have": b'{"user_id": NaN, "to_follow": 1e400}',
    "an integer of 5,000 digits": b'{"user_id": ' + b"9" * 5_000 + b"}",
    "100,000 levels": b"[" * 100_000,
    "a large value": b'{"user_id": "' + b"x" * 900_000 + b'"}',
    "a date that does not exist": b'{"user_id": "2026-99-99T00:00:00Z"}',
}


@pytest.mark.parametrize("name", ODD_BODIES)
def test_odd_bodies_are_rejected(name: str, served: Served) -> None:
    """With a problem document, whatever JSON can hold and UUIDs cannot."""
    response = requests.post(
        f"{served.url}/api/commands/follow", ODD_BODIES[name], headers=KEY, timeout=30
    )

    assert 400 <= response.status_code < 500
    assert response.headers["Content-Type"].startswith("application/problem+json")


@pytest.mark.parametrize("entity_id", ["%00", "%0A", "%ED%A0%80", "%FF", "%F0%9F%98%80", "x" * 300])
def test_odd_ids_name_no_entity(entity_id: str, served: Served) -> None:
    """With a problem document, too."""
    response = requests.get(
        f"{served.url}/api/entities/followship/{entity_id}", headers=KEY, timeout=30
    )

    assert 400 <= response.status_code < 500
    assert response.headers["Content-Type"].startswith("application/problem+json")


def test_rejected_requests_have_written_nothing(served: Served) -> None:
    """The events that are stored are those of accepted commands, and what follows from them."""
    with CosmosClient(served.cosmos, WELL_KNOWN_KEY) as client:
        events = client.get_database_client("projections").get_container_client("events")
        stored = list(events.query_items("SELECT * FROM c", enable_cross_partition_query=True))
    print(f"{sum(served.statuses.values())} requests: {dict(served.statuses)}")  # noqa: T201 - a figure

    appended = {event["id"] for event in stored if "position" in event}
    assert sum(served.statuses.values()) > 100
    assert not [status for status in served.statuses if status >= 500]
    assert appended == served.accepted
    assert {event["meta"].get("causationId") for event in stored} <= {None, *served.accepted}
