"""Links of documents lead somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents.pages import DOCUMENTS, ROOT, name_of, prose

TEMPLATES = sorted((ROOT / ".github").rglob("*.md"))


def links(path: Path) -> Iterator[str]:
    """Targets inside the repository, with their anchors."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(path)):
        if not re.match(r"[a-z]+:", target):
            yield target


def anchors(path: Path) -> set[str]:
    """Anchors of the headings, made as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", [*DOCUMENTS, *TEMPLATES], ids=name_of)
def test_links_lead_to_what_is_there(path: Path) -> None:
    """Files as well as headings."""
    for link in links(path):
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_can_be_reached_from_the_readme() -> None:
    """By links alone."""
    reached, left = set[Path](), [ROOT / "README.md"]
    while left:
        path = left.pop()
        if path not in reached and path.suffix == ".md":
            reached.add(path)
            left += [(path.parent / link.partition("#")[0]).resolve() for link in links(path)]

    assert set(DOCUMENTS) <= reached
