"""The faults that the tests must notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sabotage.host import HOST
from tests.sabotage.projecting import BOUNDS, DERIVING, FAN_OUTS, POISON
from tests.sabotage.reading import READING
from tests.sabotage.streams import DECIDING, ORDER, STREAMS
from tests.sabotage.writing import WRITING

if TYPE_CHECKING:
    from tests.sabotage.mutation import Mutation

MUTATIONS: tuple[Mutation, ...] = (
    *(*DERIVING, *POISON, *BOUNDS, *FAN_OUTS),
    *WRITING,
    *(*STREAMS, *DECIDING, *ORDER),
    *READING,
    *HOST,
)
