"""The test kit of authors: checks of commands, projections and entities, in milliseconds."""

from core.testing.deciding import given
from core.testing.folding import folded, read_as
from core.testing.projecting import projecting
from core.testing.purity import assert_pure

__all__ = ["assert_pure", "folded", "given", "projecting", "read_as"]
