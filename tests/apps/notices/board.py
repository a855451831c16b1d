"""A board posts a notice, and each of its readers gets a copy."""

from __future__ import annotations

from collections.abc import Iterator

from core import Command, Entity, Event, Id, projection, reduces


class Posted(Event, entity="board"):
    board: Id[str]
    readers: int


class Delivered(Event, entity="reader"):
    reader: Id[int]
    board: str


class Post(Command):
    board: str
    readers: int

    def handle(self) -> Iterator[Posted]:
        yield Posted(board=self.board, readers=self.readers)


class Board(Entity):
    readers: int = 0

    @reduces
    def posted(self, event: Posted) -> Board:
        return self.evolve(readers=event.readers)


class Reader(Entity):
    boards: tuple[str, ...] = ()

    @reduces
    def delivered(self, event: Delivered) -> Reader:
        return self.evolve(boards=(*self.boards, event.board))


@projection
def deliveries(event: Posted) -> Iterator[Delivered]:
    if not event.readers:
        raise ValueError("nobody reads it")
    for reader in range(event.readers):
        yield Delivered(reader=reader, board=event.board)
