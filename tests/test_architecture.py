"""The rules of the house."""

from __future__ import annotations

import ast
import importlib
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest

from core.application import Application
from core.cosmos.requests import REQUEST_TIMEOUT_SECONDS
from core.functions.routes import register_routes
from core.functions.triggers import register_triggers
from core.settings import Settings
from local.host.bindings import parse_duration
from tests.apps import follows

ROOT = Path(__file__).parent.parent
CODE = ("core", "admin", "local", "benchmarks", "examples")

BOTTOM = {"camel_model", "errors", "ids", "quotas"}
MIDDLE = {*BOTTOM, "settings", "telemetry", "model", "throttling", "cosmos"}
LEAVES = {"writing", "dead_letters", "streams", "tracking"}

MAY_IMPORT = {
    **{key: set[str]() for key in BOTTOM},
    "settings": {"errors"},
    "telemetry": {"settings"},
    "model": {"errors"},
    "throttling": {*BOTTOM, "telemetry"},
    "cosmos": MIDDLE - {"ids", "model"},
    **dict.fromkeys(LEAVES, MIDDLE),
    "projecting": {*MIDDLE, *LEAVES} - {"streams"},
    "services": {*MIDDLE, *LEAVES, "projecting"},
    "operations": {*MIDDLE, *LEAVES, "projecting", "services"},
    "application": {*MIDDLE, *LEAVES, "projecting", "services", "operations"},
    "testing": {*MIDDLE, "writing", "streams", "projecting"},
    "functions": {*MIDDLE, *LEAVES, "projecting", "services", "operations", "application"},
}
"""What each package and each module of `core` itself may import of the others."""

PURE = (
    *("camel_model.py", "errors.py", "ids.py", "quotas.py", "model/*.py"),
    *("throttling/backoff.py", "throttling/token_bucket.py", "cosmos/key_ranges.py"),
    *("writing/writes.py", "writing/plan.py", "streams/commands.py", "streams/folding.py"),
    "streams/shown_fields.py",
    *("streams/appends.py", "streams/keys.py"),
    "streams/stream_state.py",
    *("projecting/derivation.py", "projecting/fan_out.py", "projecting/ordinals.py"),
    *("projecting/parked_streams.py", "projecting/batch_run.py", "projecting/batch_result.py"),
    *("dead_letters/poison.py", "dead_letters/dead_letter.py", "dead_letters/bounds.py"),
    *("operations/finding.py", "operations/findings.py", "operations/lease_findings.py"),
    *("operations/host_findings.py", "operations/coverage_findings.py"),
    *("tracking/coverage.py", "tracking/name_changes.py"),
    *("tracking/leases.py", "tracking/lease_sets.py", "tracking/lag.py"),
)
"""Of `core`: what only computes."""

IMPURE = (
    *("asyncio", "logging", "os", "random", "secrets", "socket", "threading", "time"),
    *("aiohttp", "azure", "opentelemetry", "tenacity"),
)
PURE_UUID = {"uuid", "uuid.UUID", "uuid.uuid5"}
"""Of `uuid`: what is computed."""

MODULE = """
from collections.abc import Iterator
from core import Event, projection

class WordBegan(Event, entity="person"):
    name: str

    @property
    def entity_id(self) -> str:
        return self.name

class WordSeen(WordBegan, entity="person"):
    pass

@projection
def seen(event: WordBegan) -> Iterator[WordSeen]:
    yield WordSeen(name=event.name)
"""


def sources(*folders: str) -> Iterator[tuple[Path, ast.Module]]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if ".venv" in path.parts:  # what benchmarks install for comparison
                continue
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.AST) -> set[str]:
    """Names of all modules that a file imports, inside functions and for types as well."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def at_run_time(tree: ast.Module) -> ast.Module:
    """A file without what it imports for types only."""
    body = [node for node in tree.body if not _is_type_checking(node)]
    return ast.Module(body, type_ignores=[])


def unit(path: Path) -> str:
    """The package of `core` that a file is in, or the module that it is."""
    return path.relative_to(ROOT / "core").parts[0].removesuffix(".py")


def begins(name: str, *packages: str) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function's body, its docstring left out."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def test_packages_of_core_have_their_place() -> None:
    """A new one must be placed."""
    assert {unit(path) for path, _ in sources("core")} == {"__init__", *MAY_IMPORT}


def test_imports_of_core_go_down() -> None:
    """Never up, and not to a neighbor that is none of the package's business."""
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path, tree in sources("core")
        if unit(path) != "__init__"  # what authors import
        for name in imports(tree)
        if name.startswith("core.")
        and name.split(".")[1] not in {unit(path), *MAY_IMPORT[unit(path)]}
    ]

    assert wrong == []


@pytest.mark.parametrize("pattern", PURE)
def test_decisions_are_pure(pattern: str) -> None:
    """No service, no clock, no chance, nothing to wait for; neither in what they import."""
    paths = list((ROOT / "core").glob(pattern))
    assert paths
    for path in paths:
        names = imports(at_run_time(ast.parse(path.read_text(encoding="utf-8"))))
        assert not [name for name in names if begins(name, *IMPURE)], path
        assert {name for name in names if begins(name, "uuid")} <= PURE_UUID, path
        assert not [name for name in names if begins(name, "core") and not is_pure(name)], path


def is_pure(name: str) -> bool:
    """Whether a module of `core`, or a name in one, is pure."""
    parts = name.split(".")
    own = {"/".join(parts[1:end]) + ".py" for end in (len(parts) - 1, len(parts))}
    return any(fnmatch(path, pattern) for path in own for pattern in PURE) or len(parts) == 1


@pytest.mark.parametrize("package", CODE)
def test_there_are_no_import_cycles(package: str) -> None:
    """Inside a rung neither."""
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): imports(
            tree
        )
        for path, tree in sources(package)
    }
    graph = {
        name: {other for other in imported if other in modules and other != name}
        for name, imported in modules.items()
        if not (ROOT / Path(*name.split(".")) / "__init__.py").exists()
    }
    while graph:
        leaves = {name for name, imported in graph.items() if not imported & set(graph)}
        assert leaves, f"a cycle among {sorted(graph)}"
        graph = {name: imported for name, imported in graph.items() if name not in leaves}


def test_azure_functions_stay_at_their_edge() -> None:
    """Their package, and function_app.py."""
    for path, tree in sources("core"):
        if any(begins(name, "azure.functions") for name in imports(tree)):
            assert unit(path) == "functions", path


def test_the_cosmos_sdk_stays_at_its_edge() -> None:
    """Their package; annotations of the client elsewhere are for types only."""
    for path, tree in sources("core"):
        names = imports(at_run_time(tree))
        if any(begins(name, "azure.cosmos", "azure.core", "azure.identity") for name in names):
            assert unit(path) == "cosmos" or path.stem == "exporters", path  # for its identity


def _is_type_checking(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


@pytest.mark.parametrize(
    ("library", "places"),
    [
        ("aiohttp", {"cosmos"}),
        ("mmh3", {"cosmos"}),
        ("opentelemetry", {"telemetry"}),
        ("tenacity", {"throttling/retrier.py"}),
    ],
)
def test_a_library_has_its_place(library: str, places: set[str]) -> None:
    """One package or file imports it, so that one place retries, hashes or records."""
    for path, tree in sources("core"):
        name = path.relative_to(ROOT / "core").as_posix()
        if any(begins(imported, library) for imported in imports(at_run_time(tree))):
            assert places & {name, unit(path)}, path


@pytest.mark.parametrize(
    ("importer", "forbidden"),
    [
        ("core", ("projections", "admin", "local", "benchmarks", "examples", "tests")),
        ("local/cosmos", ("core", "admin", "local.host")),
        ("local/host", ("core", "admin", "local.cosmos")),
        ("admin", ("local", "benchmarks", "examples", "tests")),
        ("local", ("projections", "benchmarks", "examples", "tests")),
        ("benchmarks", ("projections", "tests")),
        ("examples", ("admin", "local", "benchmarks", "tests")),
        ("local/harness", ("local.demo", "local.chaos")),
        ("local/conformance/checks", ("local.cosmos",)),
    ],
)
def test_packages_do_not_know_each_other(importer: str, forbidden: tuple[str, ...]) -> None:
    """A wrong assumption about Cosmos DB must not be shared by both sides."""
    for path, tree in sources(importer):
        assert not [name for name in imports(tree) if begins(name, *forbidden)], path


def test_only_its_own_tests_import_the_application() -> None:
    """So that an author can replace it."""
    own = ROOT / "tests" / "projections"
    for path, tree in sources("tests"):
        if path.parent != own:
            assert not [name for name in imports(tree) if begins(name, "projections")], path


def test_functions_and_files_are_small() -> None:
    """Functions: none over 50 lines, the median under 10. Files: up to 300 lines."""
    lengths = [length(function) for _, tree in sources(*CODE) for function in functions(tree)]

    assert max(lengths) <= 50
    assert statistics.median(lengths) < 10
    for path, _ in sources(*CODE):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 300, path


def test_the_environment_is_read_at_the_edges_only() -> None:
    """By function_app.py, and by the tools for people; the test kit watches its readers."""
    for path, tree in sources("core"):
        if path.parent.name == "testing":
            continue
        used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert not used & {"environ", "getenv"}, path


def test_importing_the_app_opens_nothing() -> None:
    """Neither a client nor the identity library, which is a third of a cold start."""
    code = (
        "import sys, function_app\n"
        "assert 'azure.identity' not in sys.modules\n"
        "assert function_app.application._services is None\n"
    )

    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code],
        cwd=ROOT / "examples" / "followship",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def declared(package: Any, environ: dict[str, str]) -> dict[str, Any]:
    app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
    application = Application.discover(package, environ)
    register_triggers(app, application, environ)
    register_routes(app, application)
    return {str(function.get_function_name()): function for function in app.get_functions()}


def trigger_of(function: Any) -> dict[str, Any]:
    binding: dict[str, Any] = function.get_bindings_dict()["bindings"][0]
    return binding


def test_every_trigger_keeps_failed_batches() -> None:
    """Without the retry policy it checkpoints past them; without the start, early events go."""
    functions_found = declared(follows, {})
    triggers = [
        function
        for function in functions_found.values()
        if trigger_of(function)["type"] == "cosmosDBTrigger"
    ]

    assert triggers
    for trigger in triggers:
        policy, binding = trigger.get_settings_dict("retry_policy"), trigger_of(trigger)
        assert policy["max_retry_count"] == "-1"
        assert policy["strategy"] == "exponential_backoff"
        assert binding["startFromBeginning"] is True
        assert binding["createLeaseContainerIfNotExists"] is False
        assert binding["connection"] == "CosmosConnection"


def test_adding_a_file_adds_a_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With leases of its own."""
    package = tmp_path / "two_modules"
    package.mkdir()
    (package / "__init__.py").touch()
    for word in ("friendship", "fellowship"):
        (package / f"{word}.py").write_text(MODULE.replace("Word", word.title()), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))

    declarations = declared(importlib.import_module("two_modules"), {})

    prefixes = {
        name: trigger_of(function)["leaseContainerPrefix"]
        for name, function in declarations.items()
        if name.startswith("project_")
    }
    assert prefixes == {
        "project_friendship": "friendship-",
        "project_fellowship": "fellowship-",
    }


def test_bindings_refer_to_the_settings_that_are_there() -> None:
    """The host rejects a reference to one that is not; its default is taken then."""
    names = ("databaseName", "containerName", "leaseContainerName")
    environ = {"CosmosDatabase": "d", "EventsContainer": "e", "LeasesContainer": "l"}

    with_settings = trigger_of(declared(follows, environ)["project_followship"])
    without = trigger_of(declared(follows, {})["project_followship"])

    assert [with_settings[name] for name in names] == [
        "%CosmosDatabase%",
        "%EventsContainer%",
        "%LeasesContainer%",
    ]
    assert [without[name] for name in names] == ["projections", "events", "leases"]


def test_the_budget_ends_before_the_host_kills_the_worker() -> None:
    """With the longest request on top, in half of the time."""
    content = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))

    assert 2 * (
        Settings.from_environ({}).invocation_timeout_seconds + REQUEST_TIMEOUT_SECONDS
    ) < parse_duration(content["functionTimeout"])


def test_health_alone_is_open_to_all() -> None:
    """Everything else needs the function key."""
    declarations = declared(follows, {})
    levels = {
        name: trigger_of(function)["authLevel"].value
        for name, function in declarations.items()
        if trigger_of(function)["type"] == "httpTrigger"
    }

    assert levels.pop("health") == "anonymous"
    assert set(levels.values()) == {"function"}


def test_every_test_says_what_it_shows() -> None:
    """In one docstring each."""
    silent = [
        f"{path.name}: {function.name}"
        for path, tree in sources("tests")
        for function in functions(tree)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]

    assert silent == []
