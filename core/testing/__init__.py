"""The test kit of authors: checks of projections and entities in memory, in milliseconds."""

from core.testing.folding import folded, read_as
from core.testing.projecting import projecting

__all__ = ["folded", "projecting", "read_as"]
