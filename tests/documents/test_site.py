"""The documentation as a site, with the API reference that is made from the docstrings."""

from __future__ import annotations

import ast
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents.pages import DOCUMENTS, ROOT, name_of

UV = (sys.executable, "-m", "uv", "run", "--no-project", "--python", sys.executable)
TOOLS = ("--with-requirements", "requirements-docs.txt", "mkdocs")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own commands


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly: as `make docs` does."""
    if run(*UV, *TOOLS, "--version").returncode != 0:
        pytest.skip("the package registry cannot be reached")
    folder = tmp_path_factory.mktemp("site")
    done = run(*UV, *TOOLS, "build", "--strict", "--site-dir", str(folder))
    assert done.returncode == 0, done.stderr
    return folder


def public_names() -> Iterator[str]:
    """What the modules of the engine define without a leading underscore."""
    for path in sorted((ROOT / "core").rglob("*.py")):
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        yield module
        yield from defined(module, ast.parse(path.read_text(encoding="utf-8")).body)


def defined(owner: str, body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        names = [getattr(node, "name", "")]
        if isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        for name in names:
            if name and not name.startswith("_"):
                yield f"{owner}.{name}"
                if isinstance(node, ast.ClassDef):
                    yield from defined(f"{owner}.{name}", node.body)


@pytest.mark.timeout(240)
def test_every_public_name_is_in_the_api_reference(site: Path) -> None:
    """As the site's inventory lists them, and so under a link of its own."""
    content = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    documented = {line.split(" ")[0] for line in zlib.decompress(content).decode().splitlines()}
    expected = set(public_names())

    assert len(expected) > 500
    assert expected - documented == set()


@pytest.mark.timeout(240)
def test_every_document_is_a_page(site: Path) -> None:
    """Those outside of docs/ as well."""
    for path in DOCUMENTS:
        name = name_of(path).removeprefix("docs/").removesuffix(".md").removesuffix("README")
        assert (site / name / "index.html").exists(), name
