"""Sentences of tests that check nothing, because they have no end."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDER = str(Path(__file__).parent)

_recorded: list[list[Sentence]] = []
"""The sentences of the blocks that record them, the innermost block last."""


class Sentence:
    """A sentence of a test, which checks nothing until it is ended.

    Args:
        text: The sentence so far, and what is missing.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._location = _location()
        self._is_ended = False
        if _recorded:
            _recorded[-1].append(self)

    def end(self) -> None:
        """Record that the sentence has an end."""
        self._is_ended = True

    @property
    def problem(self) -> str | None:
        """What is missing, with the author's line; None if the sentence has an end."""
        return None if self._is_ended else f"{self._location}: {self._text}: it checks nothing"


@contextmanager
def unended_sentences() -> Iterator[list[str]]:
    """Record what is missing in the sentences of the block, which is known after it."""
    problems: list[str] = []
    sentences: list[Sentence] = []
    _recorded.append(sentences)
    try:
        yield problems
    finally:
        _recorded.remove(sentences)
        problems += filter(None, (sentence.problem for sentence in sentences))


def _location() -> str:
    """Return the file and line of the innermost frame outside of the test kit."""
    frame = sys._getframe()  # noqa: SLF001 - documented, and cheaper than inspect.stack
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_FOLDER):
        frame = frame.f_back
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno}"
