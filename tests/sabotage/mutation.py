"""A fault, as exact replacements of text, and the tests that must notice it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A replacement of a text that occurs once in a file."""

    file: str
    old: str
    new: str

    def applies(self, root: Path) -> bool:
        """Return whether the text occurs exactly once in the file of a tree."""
        path = root / self.file
        return path.is_file() and path.read_text(encoding="utf-8").count(self.old) == 1

    def apply(self, root: Path) -> None:
        """Replace the text in a tree."""
        path = root / self.file
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class Mutation:
    """A fault.

    Attributes:
        name: The name, for the command line.
        effect: What the changed code does wrong, as a sentence.
        edits: The changes.
        tests: Arguments of pytest, of which some must fail.
    """

    name: str
    effect: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]

    def applies(self, root: Path) -> bool:
        """Return whether all of its texts occur exactly once."""
        return all(edit.applies(root) for edit in self.edits)

    def apply(self, root: Path) -> None:
        """Change a tree."""
        for edit in self.edits:
            edit.apply(root)


def fault(
    name: str, effect: str, file: str, old: str, new: str, *tests: str, imports: str = ""
) -> Mutation:
    """Return a mutation of one file, with an import that the new text needs."""
    edits = [Edit(file=file, old=old, new=new)]
    if imports:
        first = "from __future__ import annotations\n"
        edits.append(Edit(file=file, old=first, new=f"{first}\n{imports}\n"))
    return Mutation(name=name, effect=effect, edits=tuple(edits), tests=tests)
