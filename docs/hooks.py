"""The site's pages, made from the documents of the repository: hooks of MkDocs.

Documents link to each other and to code by their places in the repository, so that the links work
where the repository is browsed. The site has the same documents at other places.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCS = "docs/"
LOCAL = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "local").rglob("*.md"))
ELSEWHERE = {
    **{name: name for name in ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")},
    **{name: name for name in LOCAL},
    "README.md": "index.md",
}
"""Pages that are not in `docs/`, and where the site has them."""

_LINK = re.compile(r"\[([^\]]+)\]\((?![a-z]+:|#)([^)\s#]+)((?:#[^)\s]*)?)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in `docs/`."""
    for source, uri in ELSEWHERE.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Let links lead to the places in the site; of a file that is not there, leave the name."""
    sources = {uri: source for source, uri in ELSEWHERE.items()}
    uri = page.file.src_uri
    source = sources.get(uri, DOCS + uri)

    def replace(match: re.Match[str]) -> str:
        text, link, anchor = match.groups()
        target = _uri(posixpath.normpath(posixpath.join(posixpath.dirname(source), link)))
        if target is None:
            return text if "`" in text or " " in text else f"`{text}`"
        return f"[{text}]({posixpath.relpath(target, posixpath.dirname(uri) or '.')}{anchor})"

    return _LINK.sub(replace, markdown)


def _uri(path: str) -> str | None:
    """Return the page of a file of the repository, None if it has none."""
    if path in ELSEWHERE:
        return ELSEWHERE[path]
    if path.startswith(DOCS):
        return path.removeprefix(DOCS)
    if path.startswith("core/") and path.endswith(".py"):
        return f"api/{path.removesuffix('.py')}.md".replace("/__init__.md", "/index.md")
    return None
