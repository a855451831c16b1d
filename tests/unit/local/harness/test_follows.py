from __future__ import annotations

import gzip
from pathlib import Path
from uuid import UUID

import pytest

from local.harness.follows import Follow, FollowFileError, read_follows, user_id

A = UUID("11111111-1111-4111-8111-111111111111")
B = UUID("22222222-2222-4222-8222-222222222222")


def named(first: str, second: str) -> Follow:
    return Follow(user_id(first), user_id(second))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("x y\ny z\n", [("x", "y"), ("y", "z")], id="spaces"),
        pytest.param("x\ty\n", [("x", "y")], id="tabs"),
        pytest.param("x,y\n", [("x", "y")], id="commas"),
        pytest.param("x , y\n", [("x", "y")], id="commas and spaces"),
        pytest.param("Ann Lee,Bob\n", [("Ann Lee", "Bob")], id="a name with a space"),
        pytest.param('"Lee, Ann",Bob\n', [("Lee, Ann", "Bob")], id="a quoted name"),
        pytest.param("# about\n\nx y\n", [("x", "y")], id="comments and empty lines"),
        pytest.param("x y 4 1289241912\n", [("x", "y")], id="more columns"),
        pytest.param("x y\r\ny x\r\n", [("x", "y"), ("y", "x")], id="lines of another system"),
        pytest.param("source,target\nx,y\n", [("x", "y")], id="a header of known words"),
        pytest.param("who whom\n1 2\n", [("1", "2")], id="a header above numbers"),
        pytest.param("a b\nb c\n", [("a", "b"), ("b", "c")], id="short names are no header"),
        pytest.param("x x\nx x\n", [("x", "x"), ("x", "x")], id="repeated and self-follows stay"),
        pytest.param("x y", [("x", "y")], id="no line end"),
    ],
)
def test_lines_become_follows(tmp_path: Path, text: str, expected: list[tuple[str, str]]) -> None:
    """Every documented form of a line is read."""
    path = tmp_path / "follows.txt"
    path.write_text(text, encoding="utf-8", newline="")

    follows = read_follows(path)

    assert follows == [named(*pair) for pair in expected]


def test_names_that_are_uuids_stay_as_they_are(tmp_path: Path) -> None:
    """Only other names become UUIDs, always the same ones."""
    path = tmp_path / "follows.txt"
    path.write_text(f"{A} {B}\n", encoding="utf-8")

    assert read_follows(path) == [Follow(A, B)]
    assert user_id("42") == user_id("42")
    assert user_id("42").version == 5


def test_gzip_is_recognized_by_content(tmp_path: Path) -> None:
    """A compressed file is read whatever it is called."""
    path = tmp_path / "follows.tsv"
    path.write_bytes(gzip.compress(b"x\ty\n"))

    assert read_follows(path) == [named("x", "y")]


def test_limit_takes_the_first_follows(tmp_path: Path) -> None:
    """The limit counts follows, not lines."""
    path = tmp_path / "follows.txt"
    path.write_text("# one\nx y\ny z\nz x\n", encoding="utf-8")

    assert read_follows(path, limit=2) == [named("x", "y"), named("y", "z")]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"x y\nalone\ny z\n", "line 2: 'alone'", id="one name"),
        pytest.param(b"x y\nx,\n", "line 2: 'x,'", id="an empty name"),
        pytest.param(b"x y\n\xff\xfe z\n", "line 2: not UTF-8", id="not text"),
        pytest.param(b"one\ntwo\nthree\nfour\n", "and 1 more", id="many lines"),
        pytest.param(b"# nothing\n", "contains no follow", id="empty"),
        pytest.param(b"\x1f\x8bbroken", "Cannot read", id="broken gzip"),
    ],
)
def test_unreadable_files_are_rejected(tmp_path: Path, content: bytes, expected: str) -> None:
    """The error names the line and says what was expected."""
    path = tmp_path / "follows.txt"
    path.write_bytes(content)

    with pytest.raises(FollowFileError, match=expected):
        read_follows(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(FollowFileError, match=r"nowhere\.txt"):
        read_follows(tmp_path / "nowhere.txt")


def test_the_shipped_graph_is_whole() -> None:
    """The demo's default graph has the figures its page gives."""
    path = Path(__file__).parents[4] / "local" / "data" / "polblogs.tsv.gz"

    follows = read_follows(path)

    assert len(follows) == 19_090
    assert sum(follow.is_self_follow for follow in follows) == 3
    assert len({follow for follow in follows if not follow.is_self_follow}) == 19_022
    assert len({user for follow in follows for user in (follow.follower, follow.followed)}) == 1_224
