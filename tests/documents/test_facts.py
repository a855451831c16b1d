"""Names and figures that pages take from the code are those of the code."""

from __future__ import annotations

import ast
import re

from core.cosmos.requests import REQUEST_TIMEOUT_SECONDS
from core.projecting.batch_result import BatchResult
from core.throttling.deadline import GRACE_SECONDS
from core.throttling.stats import RequestStats
from core.tracking.leases import LeaseState
from tests.documents.pages import ROOT, blocks
from tests.interface import interface

FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)


def row(page: str, start: str) -> str:
    """The row of a table that begins with a text."""
    (line,) = (
        line
        for line in (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines()
        if line.startswith(f"| {start}")
    )
    return line


def test_troubleshooting_names_states_of_leases_that_exist() -> None:
    """Those of the tracker, and the one that status adds."""
    named = set(
        re.findall(
            r"(?:lease that is|One that is|leases are) `(\w+)`", row("reliability.md", "lag grows")
        )
    )

    assert len(named) == 3
    assert named <= {state.value for state in LeaseState} | {"stalled"}


def test_troubleshooting_names_keys_of_log_lines_that_exist() -> None:
    """Those of completed batches, from which throttling is read."""
    (keys,) = re.findall(r"check `(\w+)` and `(\w+)` in the", row("reliability.md", "lag grows"))
    result = BatchResult(events=0, derived=0, already_written=0, parked=0, stats=RequestStats())

    assert set(keys) <= {pair.partition("=")[0] for pair in str(result).split()}


def test_the_reference_adds_up_how_long_an_invocation_takes() -> None:
    """As the doctor does: the longest request, and the grace for progress."""
    seconds = [
        float(number) for number in re.findall(r"(\d+) s\b", row("reference.md", "`Invocation"))
    ]

    assert seconds == [REQUEST_TIMEOUT_SECONDS, GRACE_SECONDS]


def test_the_path_of_an_event_names_functions_that_exist() -> None:
    """In the files that the page links to."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    steps = re.findall(r"^\| \d+\. .+ \| (`.+`) \| \[.+\]\(\.\./(.+)\) \|$", text, re.MULTILINE)

    assert len(steps) == len(re.findall(r"^\| \d+\. ", text, re.MULTILINE)) > 0
    for names, path in steps:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        assert set(re.findall(r"`([\w.]+)`", names)) <= functions(tree), path


def functions(tree: ast.Module) -> set[str]:
    """Functions by name, methods with their class; those inside of functions as well."""
    plain = {node.name for node in ast.walk(tree) if isinstance(node, FUNCTION)}
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
    methods = ((kind.name, node) for kind in classes for node in kind.body)
    return plain | {f"{kind}.{node.name}" for kind, node in methods if isinstance(node, FUNCTION)}


def test_the_layout_of_the_engine_is_complete() -> None:
    """One line for each package, and for each module that is in none."""
    parts = {path.name for path in (ROOT / "core").iterdir() if not path.name.startswith("__")}
    modules = {name for name in parts if name.endswith(".py")}
    _, layout = blocks(ROOT / "docs" / "architecture.md", "")[:2]

    listed = re.findall(r"^[├└]── (\S+)", layout, re.MULTILINE)

    assert len(listed) == len(set(listed))
    assert set(listed) == modules | {f"{name}/" for name in parts - modules - {"py.typed"}}


def test_the_reference_lists_all_metrics() -> None:
    """Each by its whole name, as code and dashboards have it."""
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    table = page.partition("| metric |")[2].partition("\n\n")[0]
    names = re.findall(r"`([a-z_.]+)`", table)

    assert sorted(names) == sorted(metric.split()[0] for metric in interface()["metrics"])
