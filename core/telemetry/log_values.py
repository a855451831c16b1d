"""Values of documents in log lines; pure."""

from __future__ import annotations

_MAX_LENGTH = 200


def log_value(value: object) -> str:
    """Return up to 200 characters of a value that a document holds, any JSON value, on one line.

    Characters that are not printable are escaped: control characters would begin a line of their
    own, and half of a surrogate pair cannot be written.
    """
    text = str(value)[:_MAX_LENGTH]
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
