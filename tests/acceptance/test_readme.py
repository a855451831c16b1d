"""What the README tells a new user to type, typed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from local.harness.processes import free_port
from tests.commands import RUN, running
from tests.documents.pages import ROOT, blocks

README = ROOT / "README.md"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_the_requests_of_the_readme_are_answered_as_it_says(tmp_path: Path) -> None:
    """At once after the start, without a pause between them."""
    (script,) = (block for block in blocks(README, "sh") if "curl" in block)
    port, cosmos = str(free_port()), str(free_port())
    probe = f"http://127.0.0.1:{port}/api/health"

    with running(*RUN, "--port", port, "--cosmos-port", cosmos, probe=probe):
        typed = script.replace("7071", port).replace("\ncurl", "\necho\ncurl")
        done = subprocess.run(  # noqa: S603 - what the README says
            ["sh", "-e", "-c", typed],  # noqa: S607 - found on the path, as by everybody
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert answers == [json.loads(block) for block in blocks(README, "json")]
