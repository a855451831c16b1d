"""Property paths of partition keys and indexing policies."""

from __future__ import annotations

import pytest

from local.cosmos.paths import PathError, parse_path


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/pk", ["pk"]),
        ("/a/b_1", ["a", "b_1"]),
        ('/"a/b"', ["a/b"]),
        ('/"level\' 1*()"/"le/vel2"', ["level' 1*()", "le/vel2"]),
        ("/'level\" 1*()'/'le/vel2'", ['level" 1*()', "le/vel2"]),
        ('/"a\\"/b"/c', ['a\\"/b', "c"]),
        ("/größe", ["größe"]),
        ("/a/[]/b/?", ["a", "[]", "b", "?"]),
        ("/*", ["*"]),
    ],
)
def test_a_path_is_split_at_the_slashes_outside_quotes(path: str, names: list[str]) -> None:
    """A quoted segment may hold any character, as in the SDKs' own parsers."""
    assert [segment.name for segment in parse_path(path)] == names


@pytest.mark.parametrize(
    ("path", "position"),
    [
        ("", 0),
        ("pk", 0),
        ("//a", 0),
        ("/a/", 2),
        ("/a-b", 0),
        ('/"a', 0),
        ('/"a"b', 0),
        ("/a/b c", 2),
    ],
)
def test_a_malformed_path_is_rejected_with_the_position(path: str, position: int) -> None:
    """A name with other characters needs quotes."""
    with pytest.raises(PathError) as caught:
        parse_path(path)

    assert caught.value.position == position


def test_a_quoted_wildcard_is_a_name() -> None:
    """Only an unquoted one is a wildcard."""
    quoted, plain = parse_path('/"*"/*')

    assert (quoted.is_wildcard, plain.is_wildcard) == (False, True)
