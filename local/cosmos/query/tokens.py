"""The first stage: text to tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local.cosmos.query.errors import QuerySyntaxError

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYWORDS = frozenset(
    (
        *("SELECT", "VALUE", "TOP", "DISTINCT", "FROM", "AS", "IN", "WHERE", "AND", "OR", "NOT"),
        *("BETWEEN", "ORDER", "BY", "ASC", "DESC", "OFFSET", "LIMIT", "GROUP", "JOIN", "EXISTS"),
        *("LIKE", "TRUE", "FALSE", "NULL", "UNDEFINED"),
    )
)

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
      | (?P<parameter>@\w+)
      | (?P<name>[A-Za-z_]\w*)
      | (?P<symbol><>|!=|<=|>=|[-=<>+*/%.,()\[\]{}:?|&^~])""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


@dataclass(frozen=True)
class Token:
    """A token of the query.

    Attributes:
        kind: The kind: keyword, name, number, text, parameter, symbol or end.
        value: The content; a keyword in capitals, text without its quotes.
        position: The index of its first character.
        source: The token as it is written in the query.
    """

    kind: str
    value: str
    position: int
    source: str


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of a query, the last of which has the kind `end`.

    Raises:
        QuerySyntaxError: If a character cannot be part of a token.
    """
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise QuerySyntaxError(f"Unexpected {text[position]!r} at position {position}.")
        if match.lastgroup != "space":
            yield _token(str(match.lastgroup), match.group(), position)
        position = match.end()
    yield Token("end", "the end", position, "")


def _token(kind: str, source: str, position: int) -> Token:
    if kind == "name" and source.upper() in KEYWORDS:
        return Token("keyword", source.upper(), position, source)
    if kind == "text":
        return Token(kind, _unquoted(source, position), position, source)
    return Token(kind, source, position, source)


def _unquoted(quoted: str, position: int) -> str:
    def escaped(match: re.Match[str]) -> str:
        code = match.group(1)
        return chr(int(code[1:], 16)) if len(code) > 1 else _ESCAPES.get(code, code)

    text = re.sub(r"\\(u[0-9a-fA-F]{4}|.)", escaped, quoted[1:-1], flags=re.DOTALL)
    try:  # two escapes can be the halves of one character
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise QuerySyntaxError(f"The text at position {position} is not Unicode.") from None
